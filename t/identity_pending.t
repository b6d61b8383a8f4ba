#!/usr/bin/perl

# Identity when gateways do not answer: nobody is refused, the step stays
# open, is asked again in the background, and an SMS tells.  And the sealer.

use strict;
use warnings;
use utf8;

use Fcntl qw(LOCK_EX);
use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Test::More;
use Time::HiRes qw(sleep time);

my $p = Portal->new(start => 0);

# the file stands in the test's own directory

$p->configure(replace => [
    [ qr/^(    correspondence_key_file .*;)/m, sub {
        "$1\n    correspondence_seal_interval 300ms;\n"
        . "    correspondence_audit_head $p->{dir}/store/head;" } ] ]);
$p->start_nginx;


sub person_of {
    my ($who) = @_;
    my ($row) = $p->sql(q{SELECT * FROM persons WHERE national_code = ?
                           AND status = 'active'}, $who->{national_code});
    return $row;
}


for my $case ([ mobile => 'shahkar', 2 ], [ registry => 'registry', 3 ]) {
    my ($step, $service, $level) = @$case;

    subtest "$service does not answer" => sub {
        my $b = $p->browser;
        my $who = $b->signup;

        if ($step eq 'registry') {
            $b->post('/desk/identity/mobile', {});
        }

        $p->fault(service => $service, kind => 'status', status => 500);
        $b->post("/desk/identity/$step", {});
        is person_of($who)->{"${step}_step"}, 'pending', 'pending';

        my $id = person_of($who)->{id};
        is $p->value(q{SELECT count(*) FROM identity_tasks
                        WHERE person_id = ?}, $id), 1, 'a task waits';

        # asked again while it still fails: nothing changes

        my $before = () = $p->requests($service);
        $p->sql('UPDATE identity_tasks SET next_at = now()');
        ok wait_until(15, sub { $p->requests($service) > $before }),
           'asked again';
        sleep 0.5;
        is person_of($who)->{"${step}_step"}, 'pending', 'still pending';

        $p->no_faults;
        ok wait_until(30, sub {
            $p->sql(q{UPDATE identity_tasks SET next_at = now()
                       WHERE next_at > now() + interval '10 seconds'});
            person_of($who)->{"${step}_step"} eq 'yes';
        }), 'through by itself' or diag explain person_of($who);
        is person_of($who)->{level}, $level, 'the level';
        ok $p->message($who->{mobile}, qr/احراز هویت/), 'an SMS tells';
        is $p->value(q{SELECT count(*) FROM identity_tasks
                        WHERE person_id = ?}, $id), 0, 'no task is left';

        my @v = map { $_->{verdict} } $p->sql(q{SELECT verdict
            FROM identity_evidence WHERE person_id = ? AND step = ?
            ORDER BY id}, $id, $step);
        is $v[0], 'unknown', 'the evidence has the unknown';
        is $v[-1], 'yes', 'and the yes';
    };
}

subtest 'the registry tells nothing before the mobile is known' => sub {
    my $b = $p->browser;
    my $who = $b->signup;

    $p->fault(service => 'shahkar', kind => 'status', status => 500);
    $b->post('/desk/identity/mobile', {});

    my $before = () = $p->requests('registry');

    $b->post('/desk/identity/registry', {})->follow;
    is $b->status, 200, 'the page of the steps';
    is person_of($who)->{registry_step}, 'pending', 'it is not refused';
    is scalar(() = $p->requests('registry')), $before, 'nor is it asked';
    is person_of($who)->{first_name}, undef, 'whose code it is stays unknown';

    $p->no_faults;
    ok wait_until(30, sub {
        $p->sql('UPDATE identity_tasks SET next_at = now()');
        person_of($who)->{level} == 3;
    }), 'then both are through by themselves' or diag explain person_of($who);
    ok person_of($who)->{first_name}, 'with the name';
};

subtest 'a no' => sub {
    my $b = $p->browser;
    my $who = $b->signup;

    $p->fault(service => 'shahkar', kind => 'no',
              national_code => $who->{national_code});
    $b->post('/desk/identity/mobile', {});
    is person_of($who)->{mobile_step}, 'no', 'is a no';
    is person_of($who)->{mobile_reason}, 'mismatch', 'and why';
    $p->no_faults;
};

subtest 'the audit is sealed, its head published' => sub {
    ok wait_until(15, sub {
        $p->value('SELECT count(*) FROM audit_pending') == 0
    }), 'nothing is left unchained';

    my ($head) = $p->sql(q{SELECT seq, encode(hash, 'hex') AS hash
                            FROM audit_chain ORDER BY seq DESC LIMIT 1});
    ok $head->{seq} > 5, 'lines in the chain';
    ok wait_until(10, sub {
        Instance::slurp("$p->{dir}/store/head")
            =~ /^$head->{seq} $head->{hash} \d+\n\z/
    }), 'the file has the head';
    like $p->log, qr/audit sealed up to \d+, head [0-9a-f]{64}/,
         'the log has one';
    my ($v) = $p->sql('SELECT * FROM audit_verify(NULL, NULL)');
    ok $v->{ok}, 'the chain holds';
};

# The file is everybody's who seals: heads of others stand in it.

my $file = "$p->{dir}/store/head";

sub stands { Instance::slurp($file) =~ /^(\d+ \w+) / ? $1 : '' }

sub stand {
    open my $f, '>', $file or die "$file: $!\n";
    print $f "$_[0] 1700000000\n";
    close $f;
}

sub lines_sealed {
    $p->browser->signup;
    return wait_until(15, sub {
        $p->value('SELECT count(*) FROM audit_pending') == 0 });
}

sub last_link {
    return $p->value(q{SELECT seq || ' ' || encode(hash, 'hex')
                         FROM audit_chain ORDER BY seq DESC LIMIT 1});
}

subtest 'a head never goes back' => sub {
    open my $lock, '+<', "$file.lock" or die "$file.lock: $!\n";
    flock $lock, LOCK_EX or die "flock: $!\n";

    my $before = stands();
    lines_sealed();
    my $older = last_link();
    sleep 0.5;
    is stands(), $before, 'who seals waits for the others';

    $p->browser->signup;
    $p->value('SELECT seq FROM audit_seal(1000)');
    my $newer = last_link();
    isnt $newer, $older, 'meanwhile another one seals';
    stand($newer);
    close $lock;
    sleep 1.5;
    is stands(), $newer, 'and is not overwritten';

    lines_sealed();
    ok wait_until(10, sub { stands() eq last_link() }),
       'the next head follows';
    unlike $p->log, qr/does not hold its published head/, 'as it should';
};

subtest 'a head that no chain holds' => sub {
    my ($seq) = split / /, last_link();

    $p->allow(qr/does not hold its published head/);

    for my $case ([ $seq + 1000, 'of a database that was set back' ],
                  [ $seq - 1, 'of a chain that was made anew' ])
    {
        my ($n, $what) = @$case;
        my $other = "$n " . 'ab' x 32;

        stand($other);
        lines_sealed();
        ok wait_until(10, sub {
            $p->log =~ /\[crit\].*does not hold its published head $other:/
        }), "$what: told";
        lines_sealed();
        sleep 1;
        is stands(), $other, 'it stays';
        is scalar(() = $p->log =~ /does not hold its published head $other/g),
           1, 'told once';
        unlink $file;
        ok wait_until(20, sub { lines_sealed(); -e $file
                                    && stands() eq last_link() }),
           'when it is taken away the chain goes on';
    }
};

$p->done;
