#!/usr/bin/perl

# The tests' own tools: a tool that is wrong makes every test right.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../dev/lib";

use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep time);

use Instance;
use Portal::Browser;
use Portal::Numbers;
use Portal::Proxy;
use Staff;

$SIG{PIPE} = 'IGNORE';
alarm 550;

# RFC 6238, appendix B, the last six of its eight digits

my $secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
my %totp = (59 => '287082', 1111111109 => '081804', 1111111111 => '050471',
            1234567890 => '005924', 2000000000 => '279037',
            20000000000 => '353130');

is(Staff::totp($secret, $_), $totp{$_}, "TOTP at $_") for sort keys %totp;

# numbers published as valid

like(national_code(), qr/^\d{10}$/, 'a national code') for 1 .. 3;

{
    no warnings 'redefine';

    my @published = (split //, '0499370899');
    my $sum = 0;

    $sum += $published[$_] * (10 - $_) for 0 .. 8;
    is(Portal::Numbers::weigh([ @published[0 .. 8] ], [ reverse 2 .. 10 ]),
       $sum, 'the weights of a national code');

    my @id = split //, '10380284790';
    my @plus = map { $_ + $id[9] + 2 } @id[0 .. 9];

    is(Portal::Numbers::weigh(\@plus, [ (29, 27, 23, 19, 17) x 2 ]) % 11 % 10,
       $id[10], 'the weights of a legal id');
}

is(ascii(fa('0123456789')), '0123456789', 'Persian digits');
is(ascii(ar('0123456789')), '0123456789', 'Arabic digits');

# PNG, by somebody else's reading

SKIP: {
    my $file = tempdir(CLEANUP => 1) . '/x.png';

    skip 'no file(1)', 1 if !-x '/usr/bin/file';
    open my $f, '>:raw', $file or die;
    print $f Portal::Browser::tiny_png('mark');
    close $f;
    like(`file $file`, qr/PNG image data, 1 x 1, 8-bit grayscale/, 'a PNG');
}

# the proxy, over both kinds of sockets, before a server that answers every
# line with the same line

my $dir = tempdir(CLEANUP => 1);
my $port = Instance::free_port();

my @servers = (
    [ 'unix', IO::Socket::UNIX->new(Local => "$dir/s", Listen => 50),
      "$dir/p", "$dir/s" ],
    [ 'tcp', IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 50),
      $port, undef ],
);
$servers[1][3] = $servers[1][1]->sockport;

for my $server (@servers) {
    my ($name, $listener, $listen, $to) = @$server;
    my $pid = fork;

    if (!$pid) {
        echo($listener);
        POSIX::_exit(0);
    }

    my $proxy = Portal::Proxy->new(listen => $listen, to => $to);
    my $connect = sub {
        return $name eq 'unix'
            ? IO::Socket::UNIX->new(Peer => $listen, Timeout => 1)
            : IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                    PeerPort => $listen, Timeout => 1);
    };

    my $s = $connect->();

    is(ask($s, 'a'), 'a', "$name: pass");

    $proxy->mode('byte');
    ok(ask($s, 'x' x 3000) eq 'x' x 3000, "$name: byte");
    cmp_ok(pieces($s, 'y' x 300), '>', 20, "$name: byte comes in pieces");

    $proxy->mode('stall');
    is(ask($s, 'b', 1), 'nothing', "$name: stall");

    my $new = $connect->();

    ok($new, "$name: stall still accepts");
    $proxy->mode('pass');
    is(line($s), 'b', "$name: and goes on afterwards");
    is(ask($new, 'c'), 'c', "$name: the new one as well");

    $proxy->mode('half');
    is(ask($new, 'd'), 'end', "$name: half");
    ok($new->connected, "$name: half is still open for writing");

    $proxy->mode('pass');
    $s = $connect->();
    is(ask($s, 'e'), 'e', "$name: pass again");
    $proxy->mode('lose');
    is(ask($s, 'f'), 'end', "$name: lose");

    $proxy->mode('pass');
    $s = $connect->();
    $proxy->cut(2);
    is(ask($s, 'ghij'), 'gh', "$name: cut");

    $s = $connect->();
    $proxy->mode('pass');
    is(ask($s, 'k'), 'k', "$name: pass after cut");
    $proxy->mode('drop');
    is(line($s), 'end', "$name: drop closes");
    $s = $connect->();
    is(ask($s, 'l'), 'end', "$name: drop closes new ones");

    $proxy->mode('refuse');
    ok(!$connect->(), "$name: refuse");

    $proxy->mode('pass');
    $s = $connect->();
    is(ask($s, 'm'), 'm', "$name: and back");

    $proxy->mode('blackhole');
    is(ask($s, 'n', 1), 'nothing', "$name: blackhole");
    ok(!$connect->(), "$name: blackhole accepts nobody");

    $proxy->mode('pass');
    $s = $connect->();
    is(ask($s, 'o'), 'o', "$name: and back again");
    cmp_ok($proxy->counts->{accepted}, '>', 5, "$name: counts");

    $proxy->stop;
    ok(!$connect->(), "$name: stopped");
    kill KILL => $pid;
    waitpid $pid, 0;
}

# A run of tests: of this very t/run, in a tree with nothing else in it.

my $top = "$FindBin::RealBin/..";
my $tree = tempdir(CLEANUP => 1);

mkdir "$tree/$_" for qw(dev t t/faults build);
system('cp', "$top/t/run", "$top/t/one", "$tree/t") == 0 or die;
spew("$tree/dev/$_", "#!/bin/sh\n") for qw(install lint);
spew("$tree/Makefile", "%:\n\t\@true\n");
spew("$tree/t/faults/well.t", tap('print "ok 1\n1..1\n"'));

is(run_with(well => 'print "ok 1\n1..1\n"'), "0: all well", 'all is well');
is(run_with(bad => 'print "not ok 1\n1..1\n"'), '1: failed: portal',
   'what fails twice');
is(run_with(bails => 'print "Bail out!\n"; exit 255'), '1: failed: portal',
   'a test that stops them all');
is(run_with(plan => 'print "ok 1\n"'), '1: failed: portal',
   'a test that has no end');
is(run_with(dies => 'kill KILL => $$'), '1: failed: portal',
   'a test that is killed');
is(run_with(kills => 'open my $f, "<", "/proc/" . getppid . "/stat";'
                     . 'kill KILL => (split " ", <$f>)[3]; sleep 1'),
   '1: failed: portal', 'a run that is killed');
is(run_with(flaky => 'my $f = "build/once"; my $ok = -e $f || "";'
                     . 'open my $new, ">", $f; print "not " if !$ok;'
                     . 'print "ok 1\n1..1\n"'),
   '0: all well; 1 passed only alone: t/flaky.t', 'what passes alone is told');
unlink "$tree/build/once";


# One test: whatever ends it, nothing of it is left.

my $sleeper = tap('open my $f, ">", "$ENV{CORR_TEST_TMP}/x"; $| = 1;'
                  . 'if (!fork) { setpgrp; sleep 600; exit }'
                  . 'print "ok $ENV{CORR_TEST_TMP} $$\n"; sleep 600');
my $cluster = tap("use lib '$top/t/sql'; use Cluster; \$| = 1;"
                  . 'my $c = Cluster->new(bare => 1);'
                  . 'print "ok $ENV{CORR_TEST_TMP} $$\n";'
                  . '$c->db("postgres", "postgres")'
                  . '->do("SELECT pg_sleep(600)")');

for my $case ([ TERM => 'one' ], [ KILL => 'it' ], [ ALRM => 'it' ]) {
    my ($signal, $whom) = @$case;

    for my $what ([ 'sleeps', $sleeper ], [ 'waits in the database', $cluster ])
    {
        my ($name, $text) = @$what;

        spew("$tree/t/hangs.t", $text);

        my $pid = open my $out, '-|', "exec $top/t/one $tree/t/hangs.t 2>&1"
            or die;
        my ($tmp, $test) = (readline($out) // '') =~ /^ok (\S+) (\d+)/;

        ok($test && -d $tmp, "$name: runs") or next;
        sleep 0.5;
        kill $signal => $whom eq 'one' ? $pid : $test;
        close $out;
        ok($?, "$name, $signal: has failed");
        ok(!-e $tmp, "$name, $signal: its directory is gone");
        ok(Instance::wait_for(10, sub { !session($test) }),
           "$name, $signal: and its processes") or diag session($test);
    }
}

done_testing;


sub spew {
    my ($file, $text) = @_;

    open my $f, '>', $file or die "$file: $!\n";
    print $f $text;
    close $f;
    chmod 0755, $file;
}


sub tap { "use strict; use warnings;\n$_[0];\n" }


# How a run ends that has this test besides one that is well.

sub run_with {
    my ($name, $code) = @_;
    my $file = "$tree/t/$name.t";

    local %ENV = (%ENV, CORR_ASAN => 0, JOBS => 1);

    delete @ENV{grep { /^(?:HARNESS|TAP)_/ } keys %ENV};
    spew($file, tap($code));

    my $said = `$tree/t/run 2>&1 < /dev/null`;
    my $status = $? >> 8;

    unlink $file;

    my ($last) = $said =~ /^== (.*)\n\z/m or diag $said;
    return "$status: " . ($last // '');
}


# What is left of a session, but for what is dead.

sub session {
    my ($sid) = @_;
    my @left;

    for my $file (glob '/proc/[0-9]*/stat') {
        my ($name, $state, $of) = Instance::slurp($file)
            =~ /^\d+ \((.*)\) (\S) \d+ \d+ (\d+)/s or next;
        push @left, $name if $of == $sid && $state ne 'Z';
    }

    return join ' ', @left;
}


sub ask {
    my ($s, $text, $seconds) = @_;

    syswrite $s, "$text\n";
    return line($s, $seconds);
}


# What comes: a line, what there was before the end, "end", or "nothing" in
# all that time.

sub line {
    my ($s, $seconds) = @_;
    my $text = '';
    my $until = time + ($seconds // 30);

    while ($text !~ /\n/) {
        IO::Select->new($s)->can_read($until - time) or last;
        sysread($s, $text, 4096, length $text) or return $text || 'end';
    }

    return $text =~ /^(.*)\n/ ? $1 : $text || 'nothing';
}


# In how many reads a line comes back.

sub pieces {
    my ($s, $line) = @_;
    my ($text, $n) = ('', 0);

    syswrite $s, "$line\n";

    while ($text !~ /\n/ && IO::Select->new($s)->can_read(30)) {
        sysread($s, $text, 4096, length $text) or last;
        $n++;
    }

    return $n;
}


sub echo {
    my ($listener) = @_;
    my $select = IO::Select->new($listener);

    while (my @ready = $select->can_read) {
        for my $fh (@ready) {
            if ($fh == $listener) {
                $select->add($listener->accept // next);
            } elsif (sysread $fh, my $bytes, 65536) {
                syswrite $fh, $bytes;
            } else {
                $select->remove($fh);
                close $fh;
            }
        }
    }
}
