#!/usr/bin/perl

# Another program, zbarimg (Debian: zbar-tools), reads what qr.c drew.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

my $program = $ENV{CORR_QR_TEST} or plan skip_all => 'run by make unit';

plan skip_all => 'no zbarimg' if system('which zbarimg > /dev/null 2>&1');

my $dir = tempdir(CLEANUP => 1);

for my $text ('https://mokatebat.example.ir/verify/40312345/7xk2p0qz3mtn',
              'otpauth://totp/%D8%AF%D8%A8%DB%8C%D8%B1:ali?secret='
              . 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=%D8%AF',
              'a' x 900, '1')
{
    system("$program '$text' > $dir/code.pgm") == 0 or die;
    my $read = `zbarimg -q --raw -Sdisable -Sqrcode.enable $dir/code.pgm 2> /dev/null`;
    chomp $read;
    is($read, $text, length($text) . ' characters');
}

done_testing();
