#!/usr/bin/perl

# Letters are sent while the portal's parts are killed: what was answered is
# there, once and whole; what was not, once or not at all; and every message
# goes out.  The short form of t/torture/letters.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/torture/lib";

use Torture;

BEGIN { Torture::own_mounts() }

use Portal;
use Torture::Letters;
use Torture::Messages;

my $p = Torture->portal;

is($p->value("SHOW $_"), 'on', "PostgreSQL: $_ is on")
    for qw(fsync synchronous_commit full_page_writes);

my $letters = Torture::Letters->new($p, clients => 4);
my $torture = Torture->new(portal => $p, seconds => 2);

$letters->start;
$torture->rounds($p->{torture_disk} ? 9 : 8, pause => 1.5,
                 kinds => [ grep { $_ ne 'full' || $p->{torture_disk} }
                            Torture::kinds() ]);
Time::HiRes::sleep(1);
ok($torture->settle, 'all is well again');
$letters->stop;

my $a = $letters->account;
my $c = $torture->counts;

note(join ', ', map { "$c->{$_} $_" } sort keys %$c);
note(join ', ', map { "$a->{answers}{$_} times $_" }
                sort keys %{ $a->{answers} });
note("$a->{sent} letters, $a->{acknowledged} acknowledged, "
     . "$a->{unanswered} not ($a->{unanswered_there} of them there)");

cmp_ok($torture->killed, '>=', 8, 'parts were killed');
cmp_ok($a->{acknowledged}, '>', 50, 'letters were acknowledged');
is($a->{lost}, 0, 'none of them lost');
is($a->{doubled}, 0, 'none doubled');
is($a->{half}, 0, 'none by half');

$letters->again;
is($a->{again}, $a->{sent}, 'each was sent again with its key');
is_deeply($a->{problems}, [], 'all is accounted for')
    or diag join "\n", map { substr $_, 0, 300 }
            @{ $a->{problems} }[0 .. ($#{ $a->{problems} } < 9
                                      ? $#{ $a->{problems} } : 9)];

my $messages = Torture::Messages->new($p);

ok($messages->drain(60), 'all messages have left');
my $m = $messages->account;
is($m->{lost}, 0, 'and arrived') or diag explain $m->{problems};

$p->done;
