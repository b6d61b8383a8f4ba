package Portal::Numbers;

# Numbers of people and companies that do not exist: valid by the published
# rules, which are written down here a second time on purpose (the module
# has its own).  Random; CORR_TEST_SEED=N gives the same ones again.

use strict;
use warnings;
use utf8;

use parent qw(Exporter);

our @EXPORT = qw(national_code wrong_national_code mobile legal_id
                 wrong_legal_id postal_code phone birth_date ascii fa ar);

my $seed = $ENV{CORR_TEST_SEED} // (time ^ $$ << 12) & 0x7fffffff;

srand $seed;

sub seed { $seed }


# ten digits, the last such that the weighted sum (10 9 … 2, 1) is 0 mod 11

sub national_code {
    while (1) {
        my @d = map { int rand 10 } 1 .. 9;
        my $check = -weigh(\@d, [ reverse 2 .. 10 ]) % 11;

        # a remainder of 1 would need the digit 10 and is given the digit 1

        $check = 1 if $check == 10;

        my $code = join '', @d, $check;
        return $code if $code !~ /^(\d)\1+$/ && $code !~ /^\d{3}0{6}/;
    }
}


sub wrong_national_code {
    my $code = national_code();

    substr($code, 9, 1) = (substr($code, 9, 1) + 1 + int rand 8) % 10;
    return $code;
}


sub mobile {
    return '09' . join '', map { int rand 10 } 1 .. 9;
}


sub legal_id {
    my @d = map { int rand 10 } 1 .. 10;

    $d[0] = 1;

    my $plus = $d[9] + 2;
    my @w = (29, 27, 23, 19, 17, 29, 27, 23, 19, 17);

    return join '', @d, weigh([ map { $_ + $plus } @d ], \@w) % 11 % 10;
}


sub wrong_legal_id {
    my $id = legal_id();

    substr($id, 10, 1) = (substr($id, 10, 1) + 1 + int rand 8) % 10;
    return $id;
}


# the first five without 0 and 2, and no digit four times at the beginning

sub postal_code {
    while (1) {
        my $code = join '', (map { (1, 3 .. 9)[rand 8] } 1 .. 5),
                            (map { int rand 10 } 1 .. 5);
        return $code if $code !~ /^(\d)\1{3}/;
    }
}


sub phone {
    return '021' . (2 + int rand 8) . join '', map { int rand 10 } 1 .. 7;
}


# (day, month, year) of the Jalali calendar; days every month has

sub birth_date {
    return (1 + int rand 29, 1 + int rand 12, 1330 + int rand 50);
}


sub weigh {
    my ($digits, $weights) = @_;
    my $sum = 0;

    $sum += $digits->[$_] * $weights->[$_] for 0 .. $#$digits;
    return $sum;
}


sub ascii {
    my ($text) = @_;

    $text =~ tr/۰-۹٠-٩/0-90-9/;
    return $text;
}


sub fa {
    my ($text) = @_;

    $text =~ tr/0-9/۰-۹/;
    return $text;
}


sub ar {
    my ($text) = @_;

    $text =~ tr/0-9/٠-٩/;
    return $text;
}


1;
