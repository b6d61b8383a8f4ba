#!/usr/bin/perl

# Due dates follow the calendar in portions, while letters come, are answered,
# corrected and woken, and the calendar changes again.  The oracle is the
# promise: so many working days from the day one came, in the calendar as it
# is, or was when the answer was given.

use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::Bin;
use Test::More;

use Cluster;

my $pg = Cluster->new;
my $db = $pg->db;
my $owner = $pg->owner;

my $ali = $pg->make_person($db, level => 3);
my $clerk = $pg->make_staff('clerk');
my $admin = $pg->make_staff('admin');
$pg->make_staff('expert', unit => 'legal');

my $seed = $ENV{CORR_TEST_SEED} // time;
srand $seed;

my $today = one('SELECT today()');


sub one {
    my ($sql, @params) = @_;
    return scalar $owner->selectrow_array($sql, undef, @params);
}


sub working { one('SELECT add_working_days(?::date, ?)', @_) }


sub day_after { one('SELECT ?::date + ?::integer', @_) }


sub calendar {
    my ($day, $kind) = @_;
    $pg->staff($db, $admin, 'calendar_set', $day, $kind, '');
}


# So many portions of so many, or all there are: how many it took.
sub follow {
    my ($most, $portions) = @_;

    my $n = 0;

    while (!defined $portions || $n < $portions) {
        $n++;
        last if !$pg->call($db, 'calendar_follow', $most)->[0]{more};
        die "it does not end\n" if $n > 1000;
    }

    return $n;
}


# A letter that came so many days ago, with a unit that has been asked on the
# same day.
sub letter {
    my ($age) = @_;

    my $t = $pg->send_letter($db, $ali, limits => '{"letters_day":99999}');
    $pg->staff($db, $clerk, 'letter_refer', Cluster::key(), $t, '["legal"]',
               '', undef, 6);

    my $came = day_after($today, -$age);
    my $id = one(q{UPDATE letters SET due_on = add_working_days(?::date, 10),
              created_at = created_at - ? * interval '1 day',
              calendar_move = calendar_move() WHERE tracking_code = ?
              RETURNING id}, $came, $age, $t);
    my $referral = one(q{UPDATE referrals
          SET due_on = add_working_days(?::date, 6),
              created_at = created_at - ? * interval '1 day',
              calendar_move = calendar_move() WHERE letter_id = ?
              RETURNING id}, $came, $age, $id);

    return { code => $t, id => $id, referral => $referral, from => $came,
             days => 10, unit_from => $came, unit_days => 6 };
}


sub wrong {
    my ($letters) = @_;

    my @wrong;

    for my $l (@$letters) {
        my $due = one('SELECT due_on FROM letters WHERE id = ?', $l->{id});
        my $unit = one('SELECT due_on FROM referrals WHERE id = ?',
                       $l->{referral});
        my $right = $l->{due} // working($l->{from}, $l->{days});
        my $unit_right = $l->{unit_due}
                         // working($l->{unit_from}, $l->{unit_days});

        push @wrong, "$l->{code} since $l->{from}: $due, not $right"
            if $due ne $right;
        push @wrong, "its unit: $unit, not $unit_right"
            if $unit ne $unit_right;
    }

    return join "\n", @wrong;
}


# What may happen to one ----------------------------------------------------------

my %acts = (
    reply => sub {
        my ($l) = @_;
        $pg->staff($db, $clerk, 'letter_reply', Cluster::key(), $l->{code},
                   'پاسخ', 1, undef, '[]');
        $l->{due} //= working($l->{from}, $l->{days});
    },
    wake => sub {
        my ($l) = @_;
        $pg->person($db, $ali, 'letter_followup', Cluster::key(), $l->{code},
                    'پی‌گیری', '[]');
        $l->{due} = undef;
        @$l{qw(from days)} = ($today, 10);
    },
    correct => sub {
        my ($l) = @_;
        $pg->staff($db, $clerk, 'letter_ask_correction', Cluster::key(),
                   $l->{code}, 'متن', undef);
        $owner->do('UPDATE letters SET clock_stopped_on = today() - 4
                     WHERE id = ?', undef, $l->{id});
        $l->{days} += one('SELECT working_days_between(today() - 4, today())');
        $pg->person($db, $ali, 'letter_correct', Cluster::key(), $l->{code},
            one('SELECT id FROM files WHERE letter_id = ?
                  AND replaced_by IS NULL ORDER BY id LIMIT 1', $l->{id}),
            Cluster::file_list('c'));
    },
    recall => sub {
        my ($l) = @_;
        $pg->staff($db, $clerk, 'referral_recall', Cluster::key(),
                   $l->{referral}, undef);
        $l->{unit_due} = working($l->{unit_from}, $l->{unit_days});
    },
);


sub happens {
    my ($l) = @_;

    my $answered = defined $l->{due};
    my @may = $answered ? 'wake' : ('reply', 'correct');
    push @may, 'recall' if !defined $l->{unit_due};

    $acts{$may[rand @may]}->($l);
}


# The cases one can think of ---------------------------------------------------------

my @letters = map { letter($_) } 1 .. 9;
my $l = $letters[0];
my $due = working($l->{from}, 10);
my $before = working($due, -1);

calendar($due, 'holiday');
calendar($due, 'none');
follow(4);
is wrong(\@letters), '', 'a day free and working again before they followed';

calendar($due, 'holiday');
cmp_ok follow(4), '>', 5, 'in portions';
is wrong(\@letters), '', 'a holiday';
is follow(4), 1, 'and nothing is left';

# One before, and one behind, to which the first moves it.
my $sum = one('SELECT sum(version) FROM letters');
calendar($before, 'holiday');
calendar(working($due, 2), 'holiday');
follow(4, 1);
calendar($due, 'none');
follow(4);
is wrong(\@letters), '', 'three changes that meet';
is one('SELECT sum(version) FROM letters'), $sum,
   'nobody’s form is out of date by it';

calendar($before, 'none');
$acts{reply}->($l);
$acts{recall}->($l);
my $answered = $l->{due};
follow(4);
is wrong(\@letters), '', 'answered before it was its turn: as the calendar was';
calendar($answered, 'holiday');
follow(4);
is one('SELECT due_on FROM letters WHERE id = ?', $l->{id}), $answered,
   'and keeps it';

is follow(4), 1, 'nothing to follow';
is one('SELECT count(*) FROM calendar_moves WHERE ended_at IS NULL'), 0,
   'all have ended';

# Only one works; a change of the calendar does not wait for it.
$owner->begin_work;
$owner->do(q{SELECT pg_advisory_xact_lock(hashtext('correspondence calendar'))});
calendar($before, 'holiday');
is follow(4), 1, 'another is on it';
$owner->rollback;
follow(4);
is wrong(\@letters), '', 'then it is followed';

# And those one cannot ---------------------------------------------------------------

for my $round (1 .. 3) {
    for (1 .. 25) {
        my $what = rand;

        if ($what < 0.3) {
            calendar(day_after($today, 1 + int rand 24),
                     (qw(holiday workday none))[rand 3]);
        } elsif ($what < 0.6) {
            follow(1 + int rand 5, 1 + int rand 3);
        } elsif ($what < 0.75) {
            push @letters, letter(1 + int rand 12);
        } else {
            happens($letters[rand @letters]);
        }
    }

    follow(7);
    is wrong(\@letters), '', "round $round, " . @letters . ' letters'
        or diag "CORR_TEST_SEED=$seed";
}

done_testing;
