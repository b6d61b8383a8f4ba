#!/usr/bin/perl

# Messages go out to a provider that drops, delays and loses answers while
# workers and the whole node are killed: none is lost.  The short form of
# t/torture/messages.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/torture/lib";

use Portal;
use Torture;
use Torture::Messages;

my $p = Torture->portal;
my $messages = Torture::Messages->new($p);
my $torture = Torture->new(portal => $p);

$torture->rounds(6, pause => 1,
    kinds => [ qw(worker master sandbox worker postgres worker) ],
    between => sub { $messages->misbehave; $messages->add(30) });
ok($torture->settle, 'all is well again');
eval { $p->no_faults };
ok($messages->drain(90), 'all messages have left')
    or diag explain [ $p->sql('SELECT state, reason, count(*) FROM messages
                                GROUP BY 1, 2') ];

my $a = $messages->account;

is($a->{messages}, 180, 'there are as many as were added');
is($a->{arrived}, 180, 'all of them arrived');
is($a->{lost}, 0, 'none is lost');
cmp_ok($a->{doubled}, '<', 18, 'few were sent twice under their number');
is_deeply($a->{problems}, [], 'all is accounted for');
cmp_ok($p->value(q{SELECT count(*) FROM message_attempts
                    WHERE kind = 'send' AND outcome <> 'sent'}), '>', 0,
       'the provider did misbehave');
note("asked for again: $a->{doubled}");

$p->done;
