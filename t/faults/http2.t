#!/usr/bin/perl

# HTTP/2, which is what browsers speak under TLS: every kind of request, many
# on one connection, large files, bodies of no told length, clients that end a
# stream or their connection anywhere.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../torture/lib";

use Digest::SHA qw(sha256_hex);
use Portal;
use Portal::Faults;
use Portal::Wire2;
use Torture::Aborts;

use constant { LARGE => 3_000_000, TOGETHER => 16, CUTS => 24 };

my $port = Instance::free_port();
my $f = Portal::Faults->new;
my $p = Portal->new(faults => $f, Portal::Wire2::options($port),
                    proxies => [ Torture::Aborts::proxies ]);
my $w = Portal::Wire2->new($p, $port);
my $a = Torture::Aborts->new(portal => $p, wire => $w, faults => $f);
my @workers = $p->workers;

is($w->ask($w->bytes($_))->{status}, $w->expected($_), $_) for $w->names;

my $file = $w->ask($w->large(LARGE));
my $stored = $p->value('SELECT encode(sha256, \'hex\') FROM files
                         ORDER BY size DESC LIMIT 1');

is(sha256_hex($file->{body}), $stored, 'a large file, byte for byte');


# Streams of one connection.

my @names = $w->names;

is_deeply([ map { $_->{status} } $w->together(map { $w->bytes($_) } @names) ],
          [ map { $w->expected($_) } @names ], 'all of them on one connection');

sub letters { $p->value('SELECT count(*) FROM letters') }

my $before = letters();

is_deeply([ map { $_->{status} }
            $w->together(map { $w->bytes('letter') } 1 .. TOGETHER) ],
          [ (303) x TOGETHER ], 'letters at once');
is(letters(), $before + TOGETHER, 'each is there');


# A length that is not told, or not kept.

sub altered {
    my ($change) = @_;
    my $bytes = $w->bytes('letter');

    $bytes =~ s/^Content-Length: (\d+)\r\n/$change->($1)/me or die;
    return $bytes;
}

$before = letters();
is($w->ask(altered(sub { '' }))->{status}, 303, 'a body of no told length');
is(letters(), $before + 1, 'is a letter');

for my $off (-1, 1) {
    my $s = $w->begin;
    my $bytes = altered(sub { sprintf "Content-Length: %d\r\n", $_[0] + $off });

    # the frames say that it ends there

    $w->stream($s, 1, $bytes, ends => 1);

    my ($answer) = $w->answers($s);

    like($answer->{status}, qr/^(?:400|cut)$/,
         'one that is ' . ($off < 0 ? 'longer' : 'shorter') . ' than it says');
}

is(letters(), $before + 1, 'none');


# A stream that is cancelled leaves the others of its connection alone.

my $letter = $w->bytes('letter');
my $head = 4 + index $letter, "\r\n\r\n";
my $s = $w->begin;
my $id = -1;

$before = letters();

for my $i (0 .. CUTS - 1) {
    my $cut = int($head + (length($letter) - 1 - $head) * $i / CUTS);

    $w->stream($s, $id += 2, substr $letter, 0, $cut);
    $w->stream($s, $id += 2, $w->bytes('letters'));
    $w->cancel($s, $id - 2);
}

my @answers = $w->answers($s);

is(scalar @answers, CUTS, 'letters cancelled anywhere');
is(scalar(grep { $_->{status} ne '200' } @answers), 0,
   'what stands beside them is answered');
close $s;
is(letters(), $before, 'nothing of them is there');
is($w->ask($letter)->{status}, 303, 'sent whole, it is taken');


# Clients that are gone.

ok($a->quiet, 'nothing is under way');

my $sockets = $a->sockets;

$a->points($_) for 'letter', 'file', 'desk', 'log-in', 'picture', 'read';
$a->uploads('letter', 20);
$a->downloads(10);
$a->crowd(300);

cmp_ok($a->count, '>', 330, 'clients have gone');
note(join ', ', map { "$_ $a->{counts}{$_}" } sort keys %{ $a->counts });
ok($a->quiet, 'nothing is under way any more');
ok(wait_until(10, sub { $a->sockets <= $sockets + 1 }),
   'no connection is left');
is_deeply([ $p->workers ], \@workers, 'the workers are the same');
ok(!$f->leaks, 'no memory is lost') if ($ENV{CORR_ASAN} // 0) ne '0';
is_deeply($a->problems, [], 'all is well')
    or diag join "\n", @{ $a->problems };

$p->done;
