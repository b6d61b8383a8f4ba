#!/usr/bin/perl

# Memory runs out at an allocation of the relay: no message is given up for
# it, none is sent twice.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../torture/lib";

use Portal;
use Portal::Faults;
use Torture::Faults;
use Test::More;
use Time::HiRes qw(sleep);

use constant { ROUNDS => 80, CROWD => 10 };

my $f = Portal::Faults->new;
my $p = Portal->new(faults => $f,
                    http => "    correspondence_relay_interval 300ms;\n");
my ($hits, $n, %twice) = (0, 0);

Torture::Faults->new(portal => $p)->allow_memory;


# To a crowd of mobiles; nobody waits for another.

sub add {
    $p->sql(q{
        INSERT INTO messages (template, params, mobile, expires_at)
        SELECT 'letter_sent', '{"tracking_code": "12345674"}',
               '0912' || lpad(g::text, 7, '0'), now() + interval '1 day'
          FROM generate_series(?::int, ?) AS g}, $n + 1, $n + CROWD);
    $n += CROWD;
}


# Waits of the relay are cut short; how many are not sent yet.

sub open_ones {
    $p->sql(q{UPDATE messages SET next_at = now()
               WHERE state IN ('queued', 'unknown') AND next_at > now()});
    $p->sql(q{UPDATE messages SET lease_until = now()
               WHERE state = 'sending'
                 AND lease_until < now() + interval '50 seconds'});
    return $p->value(q{SELECT count(*) FROM messages
                        WHERE state NOT IN ('sent', 'delivered', 'failed')});
}


for my $round (1 .. ROUNDS) {
    $f->arm(calls => ['alloc'], first => 10 * $round + int rand 10);
    add();
    wait_until(5, sub {
        !$p->value(q{SELECT count(*) FROM messages WHERE state = 'queued'
                        AND tries = 0}) });
    $hits += ($f->disarm)[1];
}

cmp_ok $hits, '>', ROUNDS / 2, 'allocations have failed';
ok wait_until(90, sub { !open_ones() }), 'all messages came to an end'
    or diag explain [ $p->sql(q{SELECT * FROM messages WHERE state NOT IN
                                ('sent', 'delivered', 'failed') LIMIT 3}) ];

is_deeply [ $p->sql(q{SELECT id, reason FROM messages
                       WHERE state = 'failed'}) ], [], 'none is given up';

for my $id (map { $_->{id} } $p->sql('SELECT id FROM messages')) {
    my ($m) = $p->sql('SELECT mobile FROM messages WHERE id = ?', $id);
    my $came = () = $p->messages($m->{mobile});
    $twice{$id} = $came if $came != 1;
}

is_deeply \%twice, {}, 'each came once';
note explain [ map { "$_->{count} $_->{kind} $_->{outcome} "
                     . ($_->{reason} // '') }
    $p->sql(q{SELECT count(*), kind, outcome, reason FROM message_attempts
               GROUP BY 2, 3, 4}) ];

ok !$f->leaks, 'no memory is lost' if ($ENV{CORR_ASAN} // 0) ne '0';

$p->done;
