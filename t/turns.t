#!/usr/bin/perl

# A thread that hashed is nice and hears its timer, by which it offers the
# processor to others; no other thread of a worker does.

use strict;
use warnings;
use utf8;
no warnings 'portable';    # masks of 64 signals

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $p = Portal->new;
my $b = $p->browser;

$b->signup;
$b->set_password;

my ($nice, $heard, $others) = (0, 0, 0);
my $bit = 1 << 36;            # signal 37: SIGRTMIN + 3 of glibc

for my $worker ($p->workers) {
    my $status = Instance::slurp("/proc/$worker/status");
    my ($caught) = $status =~ /^SigCgt:\s*(\w+)/m;

    ok hex($caught) & $bit, "worker $worker has a handler";

    for my $task (glob "/proc/$worker/task/*") {
        next if $task =~ m{/$worker$};

        my ($blocked) = Instance::slurp("$task/status")
                        =~ /^SigBlk:\s*(\w+)/m;
        my $is = (split ' ', Instance::slurp("$task/stat")
                             =~ s/^.*\) //sr)[16] == 19;
        my $hears = !(hex($blocked) & $bit);

        $nice += $is;
        $heard += $is && $hears;
        $others += !$is && $hears;
    }
}

ok $nice, "threads that hashed are nice ($nice)";
is $heard, $nice, 'and hear their timer';
is $others, 0, 'nobody else does';

my ($timers) = grep { /^signal: 37\// }
               map { split /\n/, Instance::slurp("/proc/$_/timers") }
               grep { -s "/proc/$_/timers" || -e "/proc/$_/timers" }
               $p->workers;

SKIP: {
    skip 'this kernel does not tell the timers', 1
        if !-e '/proc/self/timers';
    ok $timers, 'which there is';
}

$p->done;
