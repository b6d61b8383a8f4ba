#!/usr/bin/perl

# The captcha's files, read by programs that had no part in writing them:
# the picture by hand (zlib and the chunks' CRC), the sound by sox.

use strict;
use warnings;

use Compress::Zlib;
use File::Temp qw(tempdir);
use Test::More;

my $program = $ENV{CORR_CAPTCHA_TEST} or plan skip_all => 'run by make unit';

my $dir = tempdir(CLEANUP => 1);

open my $key, '>', "$dir/key" or die;
print $key '0123456789abcdef' x 4;
close $key;
chmod 0600, "$dir/key";

for my $id ('AAAAAAAAAAAAAAAAAAAAAA', 'abcdefghij-_0123456789') {
    png(scalar `$program png $dir/key $id`);
    wav(scalar `$program wav $dir/key $id`);
}

done_testing();


sub png {
    my ($png) = @_;

    is(substr($png, 0, 8), "\x89PNG\r\n\x1a\n", 'the signature of a PNG');

    my ($at, $data, %seen, $wrong) = (8, '');

    while ($at < length $png) {
        my ($len, $type) = unpack 'N a4', substr $png, $at, 8;
        my $body = substr $png, $at + 8, $len;
        my $crc = unpack 'N', substr $png, $at + 8 + $len, 4;

        $wrong++ if crc32($type . $body) != $crc;
        $seen{$type} = $body;
        $data .= $body if $type eq 'IDAT';
        $at += 12 + $len;
    }

    ok(!$wrong, 'every CRC');
    is($at, length $png, 'nothing behind the end');

    my ($w, $h, $depth, $colour) = unpack 'N N C C', $seen{IHDR};
    is("$w x $h", '220 x 80', 'its size');

    my $row = 1 + int(($w * $depth + 7) / 8);
    is(length uncompress($data), $row * $h, 'every row is there');

    my @palette = unpack '(a3)*', $seen{PLTE};
    ok((grep { $_ eq "\0\0\0" } @palette)
       && (grep { $_ eq "\xff\xff\xff" } @palette), 'black on white');
}


sub wav {
    my ($wav) = @_;

    my ($riff, $size, $wave, $fmt, $len, $format, $channels, $rate, $bytes,
        $align, $bits, $data, $samples) = unpack 'a4 V a4 a4 V v v V V v v a4 V',
                                                 $wav;

    is("$riff $wave $fmt $data", 'RIFF WAVE fmt  data', 'a WAV file');
    is("$format $channels $rate $bits", '1 1 8000 8', 'PCM, mono, 8 kHz');
    is($samples, length($wav) - 44, 'as long as it says');

    SKIP: {
        skip 'no sox', 2 if system('which sox > /dev/null 2>&1');

        open my $f, '>', "$dir/it.wav" or die;
        print $f $wav;
        close $f;

        my $stat = `sox $dir/it.wav -n stat 2>&1`;
        my ($seconds) = $stat =~ /Length \(seconds\): *([\d.]+)/;
        my ($rms) = $stat =~ /RMS +amplitude: *([\d.]+)/;

        ok($seconds > 4 && $seconds < 12, "some seconds: $seconds");
        ok($rms > 0.03 && $rms < 0.4, "that one hears: $rms");
    }
}
