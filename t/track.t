#!/usr/bin/perl

# The receipt, its seal, and tracking without an account.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Digest::SHA qw(sha256_hex);
use Portal;

my $p = Portal->new;
my $b = $p->browser;
my $who = $b->signup;
my $png = Portal::Browser::tiny_png('track');

$p->db->do(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
             first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'
             WHERE national_code = ?}, undef, $who->{national_code});

my $code = $b->send_letter(subject => 'موضوع پنهان',
                           files => [ [ 'نامه.png', $png, 'image/png' ] ]);


# The receipt.

$b->get("/desk/letters/$code/receipt")->expect(200, 'the receipt');
like($b->text, qr/\Q@{[ fa($code) ]}\E/, 'the tracking code');
like($b->text, qr/زهرا کریمی/, 'the sender');
like($b->text, qr/@{[ sha256_hex($png) ]}/, 'the hash of the file');

my $path = $b->dom->at('.qr svg path:last-child')->attr('d');

like($path, qr/^[Mmhvz0-9 .,-]+$/i, 'a QR code');

my $url = $b->dom->at('.qr a')->attr('href');

like($url, qr{^http://localhost:\d+/verify/$code/[0-9a-z]{12}$},
     'the address of the seal');

my $json = $b->json("/desk/letters/$code/receipt");

is($json->{verify_url}, $url, 'JSON: the same');
is($json->{files}[0]{sha256}, sha256_hex($png), 'JSON: the hash');


# The QR code, read by another program when there is one.

SKIP: {
    skip 'no zbarimg', 1 if !-x '/usr/bin/zbarimg'
                            || !-x '/usr/bin/rsvg-convert';

    my $svg = $b->get("/desk/letters/$code/receipt")->dom->at('.qr svg');

    open my $f, '>:utf8', "$p->{dir}/qr.svg" or die;
    print $f $svg->to_string =~ s/<svg/<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/r
                             =~ s/viewbox/viewBox/r;
    close $f;
    my $said = `rsvg-convert -w 600 $p->{dir}/qr.svg > $p->{dir}/qr.png && zbarimg -q --raw $p->{dir}/qr.png 2>/dev/null`;
    chomp $said;
    is($said, $url, 'the QR code says the address');
}

my $other = $p->browser;

$other->signup;
is($other->get("/desk/letters/$code/receipt")->status, 404,
   'not somebody else\'s');


# The seal, for anyone.

my $n = $p->browser;

$n->get($url)->expect(200, 'the seal');
like($n->text, qr/این رسید اصل است/, 'is genuine');
like($n->text, qr/ثبت شده/, 'the status');
like($n->text, qr/@{[ sha256_hex($png) ]}/, 'the hash to compare');
unlike($n->text, qr/زهرا|کریمی|موضوع پنهان|نامه\.png/, 'nobody\'s name');
ok($n->json($url)->{genuine}, 'JSON');

my ($seal) = $url =~ m{([^/]+)$};

$p->secret($seal);                   # in no log, though its link is opened

is($n->get("/verify/$code/" . uc $seal)->status, 200, 'in capitals');
is($n->get('/verify/' . fa($code) . "/$seal")->status, 200,
   'the code in Persian digits');

for my $wrong ("/verify/$code/" . ('0' x 12), "/verify/$code/$seal" . 'x',
               "/verify/$code/" . reverse($seal), "/verify/12345674/$seal",
               "/verify/$code/x")
{
    $n->get($wrong);
    is($n->status, 404, "$wrong");
    like($n->text, qr/این رسید تأیید نشد/, 'is not');
    unlike($n->text, qr/ثبت شده/, 'and says nothing');
}

# each of its letters counts

for my $i (0 .. length($seal) - 1) {
    my $letter = substr $seal, $i, 1;
    my ($another) = grep { $_ ne $letter } split //, $seal;
    my $wrong = $seal;

    substr $wrong, $i, 1, $another;
    is($n->get("/verify/$code/$wrong")->status, 404, "letter $i is another");
}

ok(!$n->json("/verify/$code/x")->{genuine}, 'JSON: not genuine');


# Tracking.

my $last4 = substr $who->{mobile}, -4;

sub track {
    $n->get('/track')->expect(200, 'the page');
    return $n->submit({ tracking_code => $_[0], mobile_last4 => $_[1] });
}

is(track($code, $last4)->status, 200, 'tracking');
like($n->text, qr/ثبت شده/, 'tells the status');
unlike($n->text, qr/زهرا|کریمی|موضوع پنهان/, 'and nothing else');
is(track(join('-', fa($code) =~ /(.{4})/g), ar($last4))->status, 200,
   'in any digits, with dashes');

my %wrong = (
    'no code' => [ '', $last4, 'tracking_code' ],
    'a digit wrong' => [ substr($code, 0, 7) . (substr($code, 7) + 1) % 10,
                         $last4, 'tracking_code' ],
    'letters' => [ 'abcdefgh', $last4, 'tracking_code' ],
    'no mobile' => [ $code, '', 'mobile_last4' ],
    'three digits' => [ $code, '123', 'mobile_last4' ],
);

for my $what (sort keys %wrong) {
    my ($code, $last4, $field) = @{ $wrong{$what} };

    is(track($code, $last4)->status, 422, "$what: 422");
    ok($n->error($field), "$what: at its field");
}

my $not = sprintf '%04d', ($last4 + 1) % 10000;

is(track($code, $not)->status, 422, 'not their mobile');

my $said = $n->error('tracking_code');


# ISO/IEC 7064, MOD 11,10, by its definition

sub check_digit {
    my $p = 10;

    for my $digit (split //, $_[0]) {
        my $s = ($p + $digit) % 10 || 10;
        $p = $s * 2 % 11;
    }

    return (11 - $p) % 10;
}

is(check_digit('0794'), 5, 'the standard\'s own example');

my $none = '1234567' . check_digit('1234567');

$none = '7654321' . check_digit('7654321') if $none eq $code;
is(track($none, $last4)->status, 422, 'no such letter');
is($n->error('tracking_code'), $said, 'is said in the same words');

$n->get('/track');
$n->post('/track', { tracking_code => $code, mobile_last4 => $last4 },
         { Accept => 'application/json' });
is($n->tx->res->json->{found}{status}, 'registered', 'JSON');
is($n->post('/track', { csrf => 'x', tracking_code => $code,
                        mobile_last4 => $last4 })->status, 403,
   'without the token');

# guesses are slowed down, whoever makes them

my $status;

for my $guess (1 .. 30) {
    $status = track($code, $not)->status;
    last if $status == 429;
}

is($status, 429, 'guessing is stopped');
like($n->header('Retry-After'), qr/^\d+$/, 'for a while');
ok($n->header('Retry-After') <= 900, 'not for ever');

$p->done;
