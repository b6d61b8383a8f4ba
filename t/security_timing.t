#!/usr/bin/perl

# Whether somebody has an account is not told by how long an answer takes: a
# password is hashed for those who are unknown, too, and a code that nobody
# gets is made, kept and queued like one that somebody does.  (How well that
# holds is measured by bench/login-timing.)

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Prometheus;
use Time::HiRes ();

my $p = Portal->new(http => join '', map { "    correspondence_$_;\n" }
    'login_rate 0', 'codes_per_address_hour 1000');

# How many hashes the threads have made; workers tell once a second.

sub hashes {
    return Portal::Prometheus->new($p->browser->get('/metrics')->body)
           ->sum('correspondence_operations_total',
                 dependency => 'cpu');
}

sub settled {
    my ($last, $now) = (-1, hashes());

    while ($now != $last) {
        Time::HiRes::sleep(1.5);
        ($last, $now) = ($now, hashes());
    }

    return $now;
}

my $with = $p->browser;
my $known = $with->signup;
my $without = $p->browser->signup;

$with->set_password;
$p->staff('clerk');
$p->db->do(q{UPDATE staff SET status = 'disabled'
             WHERE username = 'expert'});

for my $case (
    [ 'a citizen' => '/login', national_code => $known->{national_code} ],
    [ 'one without a password' => '/login',
      national_code => $without->{national_code} ],
    [ 'one who is unknown' => '/login', national_code => national_code() ],
    [ 'a clerk' => '/clerk/login', username => 'clerk' ],
    [ 'one whose account is closed' => '/clerk/login',
      username => 'expert' ],
    [ 'nobody of theirs' => '/clerk/login', username => 'nobody.of.ours' ])
{
    my ($what, $path, @who) = @$case;
    my $before = settled();

    for (1 .. 3) {
        my $b = $p->browser;

        $b->get($path)->submit({ @who, password => 'not this one' });
        is($b->status, 422, "$what: refused");
    }

    is(settled() - $before, 3, "$what: each time after a hash");
}


# Codes: what is written.

my @tables = qw(codes audit all_messages tries code_totals);

sub rows {
    return { map {
        $_ => $_ eq 'all_messages'
            ? $p->value('SELECT (SELECT count(*) FROM messages)
                         + (SELECT count(*) FROM decoy_messages)')
            : $_ eq 'code_totals'
            ? $p->value('SELECT sum(sent) FROM code_totals')
            : $p->value("SELECT count(*) FROM $_")
    } @tables };
}

sub written {
    my ($do) = @_;
    my $before = rows();

    $do->();

    my $after = rows();
    return { map { $_ => $after->{$_} - $before->{$_} } @tables };
}

sub by_code {
    my ($who) = @_;

    return written(sub {
        my $b = $p->browser;

        $b->get('/login/code');
        $b->submit({ national_code => $who->[0] })->expect(303, 'the code')
          ->follow;
        $b->submit({ mobile => $who->[1] })->expect(303, 'the mobile')
          ->follow;
        $b->submit({ code => '000000' });
        is($b->status, 422, 'a wrong code');
    });
}

sub recovery {
    my ($who) = @_;

    return written(sub {
        my $b = $p->browser;

        $b->get('/recover');
        $b->submit({ national_code => $who->[0], mobile => $who->[1] })
          ->expect(303, 'recovery');
    });
}

my @known = @$known{qw(national_code mobile)};
my @unknown = (national_code(), mobile());

for my $way ([ 'log-in by code' => \&by_code ], [ recovery => \&recovery ]) {
    my $for_known = $way->[1]->(\@known);

    is_deeply($way->[1]->(\@unknown), $for_known,
              "$way->[0]: as much is written for who is unknown");
    is_deeply($way->[1]->([ $known[0], mobile() ]), $for_known,
              "$way->[0]: and for another mobile");
    is($for_known->{codes}, 1, "$way->[0]: a code");
    is($for_known->{all_messages}, 1, "$way->[0]: a message");
}

$p->done;
