#!/usr/bin/perl

# A one-time code is nowhere at rest: while its SMS waits for a gateway that
# says nothing, a dump of the whole database does not have it, and when it is
# sent what it was encrypted to is gone.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $p = Portal->new(proxies => [ 'sms' ]);
my $proxy = $p->proxy('sms');
my $bin = Instance::postgres_bin('pg_dump');
my $b = $p->browser;
my %who = (national_code => national_code(), mobile => mobile());

$p->secret(values %who);

sub dump_all {
    my $sockets = $p->instance->{sockets};
    my $text = `'$bin/pg_dump' -h '$sockets' -U postgres --inserts correspondence`;

    is($?, 0, 'the database is dumped');
    return $text;
}

# The code and its bytes, as a dump shows them; six digits within a longer
# number or behind a point are none.

sub holds {
    my ($text, $code) = @_;
    my $bytes = unpack 'H*', $code;

    return $text =~ /(?<![0-9a-f.])$code(?![0-9a-f])|$bytes/i;
}

for my $case (
    [ 'sign-up', sub {
        $b->get('/signup')->submit({ %who, birth_day => 27, birth_month => 3,
                                     birth_year => 1365 });
    } ],
    [ 'log-in', sub {
        $b->get('/login/code')
          ->submit({ national_code => $who{national_code} })->follow;
        $b->submit({ mobile => $who{mobile} });
    } ],
    [ 'recovery', sub { $b->get('/recover')->submit({ %who }) } ])
{
    my ($what, $ask) = @$case;
    my $seen = $p->last_message($who{mobile});

    $proxy->mode('stall');
    $ask->();
    is($b->status, 303, "$what: a code is asked for");
    ok(wait_until(10, sub { $p->value(
           q{SELECT count(*) FROM messages WHERE state = 'sending'
              AND template = 'code' AND secret IS NOT NULL}) }),
       'its SMS is on the way');

    my $dump = dump_all();

    $proxy->mode('pass');

    my $code = $p->sms_code($who{mobile}, $seen, 60);

    like($dump, qr/$who{mobile}/, 'in which is whom it goes to');
    ok(!holds($dump, $code), "$what: and no code");
    ok(wait_until(60, sub { !$p->value(
           'SELECT count(*) FROM messages WHERE secret IS NOT NULL') }),
       'and nothing to make it from, when it is sent');
    ok(!holds(dump_all(), $code), 'nor is it in what was sent');

    $b->follow->submit({ code => $code })->expect(303, $what);
    $p->db->do(q{UPDATE codes SET created_at = created_at - interval '1 h'});
}

ok(holds("a\t'123456',", '123456'), 'a code would have been found');
ok(holds("\\x00313233343536ff", '123456'), 'and its bytes');

$p->done;
