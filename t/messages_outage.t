#!/usr/bin/perl

# The database is away when a provider has taken a message, for longer than
# the lease, and no provider can tell what became of it: it is not sent twice.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Test::More;
use Time::HiRes qw(sleep);

my $p = Portal->new(
    proxies => ['postgres'],
    http => "    correspondence_relay_lease 20s;\n",
    replace => [ [ qr/^    correspondence_gateway sms_status \{.*?^    \}\n/ms,
                   '' ] ]);


sub state_is {
    my ($id, $state) = @_;
    return $p->value('SELECT state FROM messages WHERE id = ?', $id)
           eq $state;
}


$p->fault(service => 'sms', kind => 'delay', seconds => 2);

my $id = $p->value(q{
    INSERT INTO messages (template, params, mobile)
    VALUES ('letter_sent', '{"tracking_code": "12345674"}', '09121234567')
    RETURNING id});

ok wait_until(10, sub { state_is($id, 'sending') }), 'it is under way';
$p->proxy('postgres')->mode('refuse');
ok wait_until(10, sub { $p->messages('09121234567') }),
   'the provider takes it, the database is away';
sleep 45;
$p->proxy('postgres')->mode('pass');

ok wait_until(30, sub { state_is($id, 'sent') }), 'it is known to be sent';
is $p->value('SELECT tries FROM messages WHERE id = ?', $id), 1,
   'and is not sent again';

$p->done;
