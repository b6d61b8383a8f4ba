#!/usr/bin/perl

# A body that nginx has read before the portal does, into a file if it is
# large, and that others read, too: "mirror", to something that looks for
# attacks.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use File::Temp qw(tempfile);
use IO::Socket::IP;
use List::Util qw(max);
use Portal;

my $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 8)
    or die "listen: $@\n";
my ($said, $seen) = tempfile(UNLINK => 1);
my $watcher = fork // die "fork: $!\n";

# Notes how long each body is.

if ($watcher == 0) {
    $said->autoflush;

    while (my $c = $listen->accept) {
        my ($head, $body) = ('', '');

        while (defined(my $line = <$c>)) {
            $head .= $line;
            last if $line eq "\r\n";
        }

        read $c, $body, $1 if $head =~ /^Content-Length: (\d+)/mi;
        print $said length $body, "\n";
        print $c "HTTP/1.0 204 No Content\r\n\r\n";
        close $c;
    }
    POSIX::_exit(0);
}

END { kill TERM => $watcher if $watcher }

my $p = Portal->new(
    server => '    location = /mirror { internal; proxy_pass http://127.0.0.1:'
              . $listen->sockport . "; }\n",
    replace => [ [ qr{(?=correspondence +citizen;)},
                   'mirror /mirror; client_body_buffer_size 4k; ' ] ]);
my $b = $p->browser;

my $who = $b->signup;
$b->set_password;
$b->identify;

my $picture = Portal::Browser::tiny_png(
    unpack 'H*', Instance::random_bytes(200_000));

$b->get('/desk/letters/new')->expect(200, 'the form');

my $form = { %{ Portal::Browser::preset($b->form({}, 'form[enctype]')) },
             person_kind => 'natural', address => 'یزد', subject => 'نامه',
             body => 'متن ' x 400, file => [[ 'a.png', $picture,
                                               'image/png' ]] };

is($b->post('/desk/letters', $form)->status, 303, 'a letter is taken')
    or diag $b->text;
is($b->get('/desk/files/' . $p->value(
       q{SELECT id FROM files WHERE purpose = 'letter'}))->body, $picture,
   'with its file');

$b->get('/desk/tickets/new');
$b->submit({ subject => 'سؤال', body => 'متن' }, 'form[enctype]');
is($b->status, 303, 'a small form as well');

Portal::wait_until(5, sub { longest() > length $picture });
cmp_ok(longest(), '>', length $picture, 'the mirror has the whole body');

$p->done;


sub longest {
    open my $fh, '<', $seen or die "$seen: $!\n";
    return max 0, <$fh>;
}
