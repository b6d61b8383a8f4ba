#!/usr/bin/perl

# The backends that write: while some are held up, by a lock or a disk, nobody
# stands behind those who could be served by another one.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Mojo::IOLoop;
use Mojo::Parameters;

use Portal;

my $p = Portal->new;
my @people = map { my $b = $p->browser; $b->signup; $b } 1 .. 24;

$_->get('/desk/profile') for @people;


# Forms of these, sent at the same moment: how many were taken.

sub save {
    my ($text, @who) = @_;
    my $left = @who;
    my $taken = 0;

    for my $b (@who) {
        $b->ua->post_p($b->url('/desk/profile'),
                       form => { csrf => $b->csrf, address => $text })
              ->then(sub { $taken++ if $_[0]->res->code == 303 })
              ->finally(sub { Mojo::IOLoop->stop if --$left == 0 });
    }

    Mojo::IOLoop->start;
    return $taken;
}


# The same form of one of them, without waiting for the answer.

sub send_only {
    my ($b, $text) = @_;
    my $form = Mojo::Parameters->new(csrf => $b->csrf, address => $text);
    my $s = $p->socket;

    print $s "POST /desk/profile HTTP/1.1\r\nHost: localhost\r\n"
        . 'Cookie: ' . join('; ', map { "$_=" . $b->cookie($_) }
                            qw(correspondence correspondence-browser))
        . "\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        . 'Content-Length: ' . length("$form")
        . "\r\nConnection: close\r\n\r\n$form";
    return $s;
}


# Backends of the portal that a lock holds up.

sub held {
    return $p->value(q{SELECT count(*) FROM pg_stat_activity
        WHERE usename = 'correspondence_portal' AND wait_event_type = 'Lock'});
}


sub saved {
    return $p->value('SELECT count(*) FROM persons WHERE address = ?', $_[0]);
}


is(save('یزد', @people), 24, 'many at once: all are taken');
is(saved('یزد'), 24, 'and written');


# Held up by a lock, each on another person.

for my $case ([ 1, 'one' ], [ 2, 'all but one' ]) {
    my ($n, $name) = @$case;
    my @stuck = @people[0 .. $n - 1];
    my @free = @people[$n .. $n + 7];
    my $lock = $p->db->clone;

    $lock->begin_work;
    $lock->do('SELECT FROM persons WHERE national_code = ? FOR UPDATE', undef,
              $_->{person}{national_code}) for @stuck;

    my @held = map { send_only($_, "$name, later") } @stuck;

    ok(Portal::wait_until(10, sub { held() == $n }), "$name held up");

    is(save($name, @free), 8, "$name: others are taken all the same");
    is(saved($name), 8, "$name: and written");
    is(held(), $n, "$name: while those are still held");
    $lock->commit;
    like(do { local $/; <$_> }, qr{^HTTP/1.1 303}, 'answered') for @held;
    is(saved("$name, later"), $n, "$name: which are written then");
}

$p->done;
