#!/usr/bin/perl

# National codes, legal ids, mobiles, phones, postal codes, tracking codes
# against second implementations, written from the rules, not from the C.

use strict;
use warnings;

my $dump = $ENV{CORR_DUMP} || 'build/unit/dump';
my ($count, $failed) = (0, 0);
my %name = (0 => 'ok', -3 => 'invalid', -5 => 'checksum');

srand 20260101;

sub ok {
    my ($passed, $what) = @_;

    $count++;
    $failed++ unless $passed;
    print $passed ? '' : 'not ', "ok $count - $what\n";
}

sub answers {
    my ($check, @inputs) = @_;
    my $file = ($ENV{CORR_TEST_TMP} // '/tmp') . "/corr-ids-$$";

    open my $fh, '>', $file or die "$file: $!";
    print $fh "x$_\n" for map { unpack 'H*', $_ } @inputs;
    close $fh;

    my @lines = `$dump check $check < $file`;
    die "dump: $?" if $?;
    chomp @lines;
    unlink $file;

    return map {
        my ($rc, $out) = split ' ';
        [$name{$rc}, defined $out ? pack('H*', substr $out, 1) : ''];
    } @lines;
}

# expected: sub (input) -> (verdict, stored form)

sub compare {
    my ($check, $expected, @inputs) = @_;
    my %seen;
    my @got = answers($check, @inputs);
    my $bad = @got == @inputs ? 0 : 1;

    for my $i (0 .. $#inputs) {
        my ($verdict, $form) = $expected->($inputs[$i]);
        my $got = $got[$i];

        $form = '' if $verdict ne 'ok';
        $seen{$verdict}++;

        if ($got->[0] ne $verdict || $got->[1] ne $form) {
            print "#   $check $inputs[$i]: $got->[0] '$got->[1]',"
                  . " expected $verdict '$form'\n" if $bad++ < 5;
        }
    }

    # a generator that never hits a verdict tests nothing
    my $verdicts = join ', ', map { "$seen{$_} $_" } sort keys %seen;
    ok(!$bad && keys %seen >= 2, "$check: $verdicts");
}

sub digits {
    my ($n) = @_;
    return join '', map { int rand 10 } 1 .. $n;
}

# the control digit c makes sum(d[i] * (10 - i)) + c, or - c, divisible by 11

sub national {
    local ($_) = @_;
    return 'invalid' unless /\A[0-9]{10}\z/;
    return 'checksum' if /\A(.)\1*\z/;

    my @d = split //;
    my $sum = 0;
    my $weight = 10;
    $sum += $weight-- * $_ for @d[0 .. 8];

    for my $c (0 .. 9) {
        my $fits = $sum % 11 < 2 ? $c == $sum % 11 : ($sum + $c) % 11 == 0;
        return $c == $d[9] ? ('ok', $_[0]) : 'checksum' if $fits;
    }
}

sub legal {
    local ($_) = @_;
    return 'invalid' unless /\A[0-9]{11}\z/;
    return 'checksum' if /\A(.)\1*\z/;

    my @d = split //;
    my @w = (29, 27, 23, 19, 17) x 2;
    my $sum = 0;

    $sum += ($d[9] + 2 + $d[$_]) * $w[$_] for 0 .. 9;
    $sum -= 11 while $sum >= 11;
    $sum = 0 if $sum == 10;

    return $sum == $d[10] ? ('ok', $_[0]) : 'checksum';
}

sub mobile {
    return $_[0] =~ /\A(?:\+98|0098|98|0|)(9[0-9]{9})\z/ ? ('ok', "0$1")
                                                        : 'invalid';
}

sub phone {
    my ($s) = @_;
    $s =~ tr{()./ -}{}d;
    return $s =~ /\A(?:\+98|0098|98|0|)([1-8][0-9][2-9][0-9]{7})\z/
           ? ('ok', "0$1") : 'invalid';
}

sub postal {
    return $_[0] =~ /\A(?!(\d)\1{3})[13-9]{5}\d{5}\z/ ? ('ok', $_[0])
                                                      : 'invalid';
}

# ISO/IEC 7064 MOD 11,10 by the definition: the check of the whole string

sub tracking {
    my ($s) = @_;
    return 'invalid' unless $s =~ /\A[0-9]{6,18}\z/;

    my $p = 10;
    my @d = split //, $s;
    my $last = pop @d;

    for (@d) {
        my $sum = ($p + $_) % 10 || 10;
        $p = $sum * 2 % 11;
    }

    return ($p + $last) % 10 == 1 ? ('ok', $s) : 'checksum';
}

# numbers that pass, made by trying every last digit of a random head

sub passing {
    my ($rule, $length, $n) = @_;
    my @all;

    while (@all < $n) {
        my $head = digits($length - 1);
        push @all, grep { ($rule->($_))[0] eq 'ok' } map { "$head$_" } 0 .. 9;
    }

    return @all;
}

compare('national_code', \&national,
        (map { digits(10) } 1 .. 60000), passing(\&national, 10, 20000),
        (map { $_ x 10 } 0 .. 9), (map { digits($_) } 0 .. 20), '12345678a0');

compare('legal_id', \&legal,
        (map { digits(11) } 1 .. 60000), passing(\&legal, 11, 20000),
        (map { $_ x 11 } 0 .. 9), (map { digits($_) } 0 .. 20));

compare('mobile', \&mobile,
        map { ($_->() . digits(8 + int rand 4)) }
        map { my $p = $_; (sub { $p }) x 500 }
        '+989', '00989', '989', '09', '9', '98', '+98', '0', '', '++989', '+');

compare('phone', \&phone,
        (map { digits(10 + int rand 3) } 1 .. 3000),
        (map { '0' . digits(10) } 1 .. 3000),
        (map { '+98' . digits(10) } 1 .. 3000),
        (map { '98' . digits(10) } 1 .. 1000),
        map { sprintf '(0%s) %s-%s', digits(2), digits(4), digits(4) }
            1 .. 2000);

compare('postal_code', \&postal,
        (map { digits(10) } 1 .. 40000),
        (map { (1 + int rand 9) x 4 . digits(6) } 1 .. 2000),
        (map { digits($_) } 0 .. 20));

compare('tracking', \&tracking,
        (map { digits(8) } 1 .. 20000), (map { digits(int rand 21) } 1 .. 5000),
        passing(\&tracking, 8, 5000), passing(\&tracking, 9, 5000));

# every single error in a code is noticed, and most swaps of neighbours are

my @codes = passing(\&tracking, 8, 200);
my (@single, @swap);

for my $code (@codes) {
    for my $i (0 .. 7) {
        for my $d (0 .. 9) {
            my $wrong = $code;
            substr $wrong, $i, 1, $d;
            push @single, $wrong if $wrong ne $code;
        }
        next if $i == 7;
        my $swapped = $code;
        substr $swapped, $i, 2, reverse substr $code, $i, 2;
        push @swap, $swapped if $swapped ne $code;
    }
}

my @missed = grep { $_->[0] eq 'ok' } answers('tracking', @single);
ok(@single > 10000 && !@missed, scalar(@single) . ' single errors noticed');

@missed = grep { $_->[0] eq 'ok' } answers('tracking', @swap);
ok(@missed < @swap / 20,
   sprintf '%d of %d swaps of neighbours noticed', @swap - @missed, scalar @swap);

print "1..$count\n";
exit($failed ? 1 : 0);
