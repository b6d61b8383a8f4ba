#!/usr/bin/perl

# A clock that is set back: what is counted by the second goes on.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Portal;
use Portal::Faults;
use Test::More;

my $f = Portal::Faults->new;
my $p = Portal->new(faults => $f, replace => [
    [ qr/^    correspondence_gateway sms \{$/m,
      "    correspondence_gateway sms {\n        budget 30; rate 1;" ] ]);
my $n = 0;


sub sent {
    my ($what) = @_;
    my $id = $p->value(q{
        INSERT INTO messages (template, params, mobile, expires_at)
        VALUES ('letter_sent', '{"tracking_code": "12345674"}', ?,
                now() + interval '1 day') RETURNING id},
        sprintf '0912%07d', ++$n);

    ok wait_until(15, sub {
        $p->value('SELECT state FROM messages WHERE id = ?', $id)
            =~ /^(?:sent|delivered)$/ }), "$what: a message goes";
    ok wait_until(15, sub {
        ($p->value(q{SELECT sum(used) FROM gateway_budgets
                      WHERE kind = 'sms'}) // 0) == $n }),
       "$what: the other nodes are told of it";
}


sent('a clock');

# not over midnight: that is another day, with another budget

my $back = ($p->value(q{SELECT extract(epoch FROM now() AT TIME ZONE
                        'Asia/Tehran')::bigint % 86400}) > 1800) ? -900 : 900;

$f->clock($back);
sent('set back');
$f->clock(0) if $back > 0;
sent('and then');

$p->done;
