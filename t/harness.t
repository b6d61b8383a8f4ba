#!/usr/bin/perl

# The tests' own tools: a tool that is wrong makes every test right.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../dev/lib";

use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep time);

use Instance;
use Portal::Browser;
use Portal::Numbers;
use Portal::Proxy;
use Staff;

$SIG{PIPE} = 'IGNORE';
alarm 300;

# RFC 6238, appendix B, the last six of its eight digits

my $secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
my %totp = (59 => '287082', 1111111109 => '081804', 1111111111 => '050471',
            1234567890 => '005924', 2000000000 => '279037',
            20000000000 => '353130');

is(Staff::totp($secret, $_), $totp{$_}, "TOTP at $_") for sort keys %totp;

# numbers published as valid

like(national_code(), qr/^\d{10}$/, 'a national code') for 1 .. 3;

{
    no warnings 'redefine';

    my @published = (split //, '0499370899');
    my $sum = 0;

    $sum += $published[$_] * (10 - $_) for 0 .. 8;
    is(Portal::Numbers::weigh([ @published[0 .. 8] ], [ reverse 2 .. 10 ]),
       $sum, 'the weights of a national code');

    my @id = split //, '10380284790';
    my @plus = map { $_ + $id[9] + 2 } @id[0 .. 9];

    is(Portal::Numbers::weigh(\@plus, [ (29, 27, 23, 19, 17) x 2 ]) % 11 % 10,
       $id[10], 'the weights of a legal id');
}

is(ascii(fa('0123456789')), '0123456789', 'Persian digits');
is(ascii(ar('0123456789')), '0123456789', 'Arabic digits');

# PNG, by somebody else's reading

SKIP: {
    my $file = tempdir(CLEANUP => 1) . '/x.png';

    skip 'no file(1)', 1 if !-x '/usr/bin/file';
    open my $f, '>:raw', $file or die;
    print $f Portal::Browser::tiny_png('mark');
    close $f;
    like(`file $file`, qr/PNG image data, 1 x 1, 8-bit grayscale/, 'a PNG');
}

# the proxy, over both kinds of sockets, before a server that answers every
# line with the same line

my $dir = tempdir(CLEANUP => 1);
my $port = Instance::free_port();

my @servers = (
    [ 'unix', IO::Socket::UNIX->new(Local => "$dir/s", Listen => 50),
      "$dir/p", "$dir/s" ],
    [ 'tcp', IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 50),
      $port, undef ],
);
$servers[1][3] = $servers[1][1]->sockport;

for my $server (@servers) {
    my ($name, $listener, $listen, $to) = @$server;
    my $pid = fork;

    if (!$pid) {
        echo($listener);
        POSIX::_exit(0);
    }

    my $proxy = Portal::Proxy->new(listen => $listen, to => $to);
    my $connect = sub {
        return $name eq 'unix'
            ? IO::Socket::UNIX->new(Peer => $listen, Timeout => 1)
            : IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                    PeerPort => $listen, Timeout => 1);
    };

    my $s = $connect->();

    is(ask($s, 'a'), 'a', "$name: pass");

    $proxy->mode('byte');
    ok(ask($s, 'x' x 3000) eq 'x' x 3000, "$name: byte");
    cmp_ok(pieces($s, 'y' x 300), '>', 20, "$name: byte comes in pieces");

    $proxy->mode('stall');
    is(ask($s, 'b', 1), 'nothing', "$name: stall");

    my $new = $connect->();

    ok($new, "$name: stall still accepts");
    $proxy->mode('pass');
    is(line($s), 'b', "$name: and goes on afterwards");
    is(ask($new, 'c'), 'c', "$name: the new one as well");

    $proxy->mode('half');
    is(ask($new, 'd'), 'end', "$name: half");
    ok($new->connected, "$name: half is still open for writing");

    $proxy->mode('pass');
    $s = $connect->();
    is(ask($s, 'e'), 'e', "$name: pass again");
    $proxy->mode('lose');
    is(ask($s, 'f'), 'end', "$name: lose");

    $proxy->mode('pass');
    $s = $connect->();
    $proxy->cut(2);
    is(ask($s, 'ghij'), 'gh', "$name: cut");

    $s = $connect->();
    $proxy->mode('pass');
    is(ask($s, 'k'), 'k', "$name: pass after cut");
    $proxy->mode('drop');
    is(line($s), 'end', "$name: drop closes");
    $s = $connect->();
    is(ask($s, 'l'), 'end', "$name: drop closes new ones");

    $proxy->mode('refuse');
    ok(!$connect->(), "$name: refuse");

    $proxy->mode('pass');
    $s = $connect->();
    is(ask($s, 'm'), 'm', "$name: and back");

    $proxy->mode('blackhole');
    is(ask($s, 'n', 1), 'nothing', "$name: blackhole");
    ok(!$connect->(), "$name: blackhole accepts nobody");

    $proxy->mode('pass');
    $s = $connect->();
    is(ask($s, 'o'), 'o', "$name: and back again");
    cmp_ok($proxy->counts->{accepted}, '>', 5, "$name: counts");

    $proxy->stop;
    ok(!$connect->(), "$name: stopped");
    kill KILL => $pid;
    waitpid $pid, 0;
}

done_testing;


sub ask {
    my ($s, $text, $seconds) = @_;

    syswrite $s, "$text\n";
    return line($s, $seconds);
}


# What comes: a line, what there was before the end, "end", or "nothing" in
# all that time.

sub line {
    my ($s, $seconds) = @_;
    my $text = '';
    my $until = time + ($seconds // 30);

    while ($text !~ /\n/) {
        IO::Select->new($s)->can_read($until - time) or last;
        sysread($s, $text, 4096, length $text) or return $text || 'end';
    }

    return $text =~ /^(.*)\n/ ? $1 : $text || 'nothing';
}


# In how many reads a line comes back.

sub pieces {
    my ($s, $line) = @_;
    my ($text, $n) = ('', 0);

    syswrite $s, "$line\n";

    while ($text !~ /\n/ && IO::Select->new($s)->can_read(30)) {
        sysread($s, $text, 4096, length $text) or last;
        $n++;
    }

    return $n;
}


sub echo {
    my ($listener) = @_;
    my $select = IO::Select->new($listener);

    while (my @ready = $select->can_read) {
        for my $fh (@ready) {
            if ($fh == $listener) {
                $select->add($listener->accept // next);
            } elsif (sysread $fh, my $bytes, 65536) {
                syswrite $fh, $bytes;
            } else {
                $select->remove($fh);
                close $fh;
            }
        }
    }
}
