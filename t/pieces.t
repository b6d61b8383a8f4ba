#!/usr/bin/perl

# Files of a form, however the network cuts it: they are read into the block
# that a thread writes, behind one another, with delimiters and other parts
# between them, and each must be stored as it was sent.

use strict;
use warnings;
use utf8;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

use constant BLOCK => 196_608;        # CORR_SPOOL_BLOCK

# Forms in chunks count as the longest there can be, to the hour’s limit.

my $many = "    correspondence_letters_per_day 1000;\n"
           . "    correspondence_uploads_per_hour 0;\n";
my $p = Portal->new(http => $many);
my $b = $p->browser;

$b->signup;
$b->identify;

my $boundary = '----WebKitFormBoundary7MA4YWxkTrZu0gW';
my $seed = time;
my $serial = 0;

note "seed $seed";
srand $seed;


# A JPEG as far as anyone looks, full of what nearly is a delimiter.

sub jpeg {
    my ($size) = @_;
    my $head = "\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
        . "\xff\xc0\0\x11\x08\x06\xdb\x04\xda\3\1\x22\0\2\x11\1\3\x11\1"
        . "\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0";
    my @like = ("\r", "\r\n", "\r\n--", "\r\n--$boundary", "\r\n--$boundary-",
                "\r\n--" . substr($boundary, 0, -1), "\r\n--$boundary   ",
                "\r\r\n\r\n", "\n--$boundary\r\n", 'x' x 60);
    my $bytes = sprintf '%08d', ++$serial;

    while (length $bytes < $size) {
        # an x about it, or by chance it would be one
        $bytes .= 'x' . $like[rand @like] . 'x'
            . Instance::random_bytes(1 + int rand 2000) =~ tr/\xff/\xfe/r;
    }

    return $head . substr($bytes, 0, $size) . ".\xff\xd9";
}


# The body of a letter with these files, other fields between and behind them.

sub body {
    my (@files) = @_;
    my %field = (csrf => $b->csrf, submission_key => sprintf('piece-%d-%d-%s',
                     $$, ++$serial, 'x' x 12), person_kind => 'natural');
    my %last = (address => 'تهران', subject => 'درخواست', body => 'متن');
    my @parts = map { [ $_ => $field{$_} ] } sort keys %field;

    push @parts, map { ([ file => $_ ], [ unknown => 'y' x rand 300 ]) } @files;
    push @parts, map { [ $_ => $last{$_} ] } sort keys %last;

    return join('', map {
        "--$boundary\r\nContent-Disposition: form-data; name=\"$_->[0]\""
        . (ref $_->[1] ? "; filename=\"$_->[1][0]\"\r\n"
                         . "Content-Type: image/jpeg\r\n\r\n$_->[1][1]"
                       : "\r\n\r\n" . Mojo::Util::encode('UTF-8', $_->[1]))
        . "\r\n" } @parts) . "--$boundary--\r\n";
}


# Sends it in pieces, the first of `first` bytes, and gives the answer.

sub sends {
    my ($body, $most, $chunked, $first) = @_;
    my $socket = $p->socket;
    my $cookie = join '; ', map { $_->name . '=' . $_->value }
                 @{ $b->ua->cookie_jar->all };

    $socket->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);
    $socket->print("POST /desk/letters HTTP/1.1\r\nHost: localhost\r\n"
        . "Cookie: $cookie\r\nConnection: close\r\n"
        . "Content-Type: multipart/form-data; boundary=$boundary\r\n"
        . ($chunked ? "Transfer-Encoding: chunked\r\n\r\n"
                    : 'Content-Length: ' . length($body) . "\r\n\r\n"));

    for (my ($at, $n) = (0, 0); $at < length $body; $at += $n) {
        $n = $at == 0 && $first ? $first : 1 + int rand $most;
        my $piece = substr $body, $at, $n;

        $piece = sprintf("%x\r\n", length $piece) . "$piece\r\n" if $chunked;
        print {$socket} $piece or last;
        $socket->flush;
        select undef, undef, undef, $n == ($first // 0) ? 0.2 : 0.001
            if $first || rand() < 0.2;
    }

    $socket->print("0\r\n\r\n") if $chunked;
    $socket->flush;
    local $/;
    return <$socket> // '';
}


sub hashes {
    my ($code) = @_;

    return join ' ', sort map { $_->{sha} } $p->sql(
        q{SELECT encode(f.sha256, 'hex') AS sha FROM files AS f
            JOIN letters AS l ON l.id = f.letter_id
           WHERE l.tracking_code = ?}, $code);
}


sub on_disk {
    my ($hash) = @_;
    my ($path) = glob $p->dir . '/store/' . substr($hash, 0, 2) . '/'
                 . substr($hash, 2, 2) . "/$hash*";

    return $path && sha256_hex(Instance::slurp($path)) eq $hash;
}

my %sizes = (
    'one that ends with its block'  => [ BLOCK - 64 ],
    'small ones in one block'       => [ 200, 3000, 20_000, 90 ],
    'a large one, then small ones'  => [ 3 * BLOCK + 17, 100, 500 ],
    'small ones, then a large one'  => [ 100, 500, 2 * BLOCK + 4001 ],
    'each over a block'             => [ BLOCK + 1, BLOCK - 1, BLOCK ],
);

for my $what (sort keys %sizes) {
    for my $way ([ 'at once', 4 << 20 ], [ 'in small pieces', 700 ],
                 [ 'in pieces', 30_000 ], [ 'in chunks', 5000, 1 ],
                 [ 'in small chunks', 300, 1 ])
    {
        my ($how, $most, $chunked) = @$way;
        my @files = map { [ "f$_.jpg", jpeg($_) ] } @{ $sizes{$what} };

        $b->get('/desk/letters/new');

        my $answer = sends(body(@files), $most, $chunked);
        my ($code) = $answer =~ m{^Location: \S+?sent=(\d+)}mi;

        like($answer, qr{^HTTP/1.1 303 }, "$what, $how");
        is(hashes($code // 0), join(' ', sort map { sha256_hex($_->[1]) } @files),
           'as they were sent');
        is(scalar(grep { !on_disk(sha256_hex($_->[1])) } @files), 0,
           'and so they lie there');
    }
}

# One that is refused in the middle, for what it is or for its size, and those
# about it.

for my $bad ([ 'no picture', 'x' x 3000 ],
             [ 'too large', jpeg(6 * BLOCK), 'correspondence_upload_max_size 1m;' ])
{
    my ($what, $bytes, $directive) = @$bad;

    if ($directive) {
        $p->configure(http => "$many    $directive\n");
        $p->reload;
    }

    for my $most (4 << 20, 900) {
        my @good = (jpeg(5000), jpeg(BLOCK + 30), jpeg(70));

        $b->get('/desk/letters/new');

        my $answer = sends(body([ 'a.jpg', $good[0] ], [ 'bad.jpg', $bytes ],
                                [ 'b.jpg', $good[1] ], [ 'c.jpg', $good[2] ]),
                           $most);

        like($answer, qr{^HTTP/1.1 422 }, "$what, pieces up to $most");
        like($answer, qr/bad\.jpg/, 'it is named');
        is(scalar(grep { !on_disk(sha256_hex($_)) } @good), 0,
           'the others are kept');
    }
}

# A buffer of nginx's that may be larger than the block, and a file that fills the
# block but for less than what may be the beginning of a delimiter.

$p->configure(http => $many,
              replace => [ [ qr{client_body_buffer_size +[^;]+},
                             'client_body_buffer_size 1m' ] ]);
$p->reload;

for my $short (0, 1, 20, 40, 41, 42, 60) {
    my $file = jpeg(BLOCK + 5000);
    my $like = "\r\n--$boundary";

    substr($file, BLOCK - $short, length($like) + 1) = "${like}x";
    $b->get('/desk/letters/new');

    my $body = body([ 'a.jpg', $file ]);
    my $answer = sends($body, 4000, 0, index($body, $file) + BLOCK - $short
                                       + length($like));
    my ($code) = $answer =~ m{^Location: \S+?sent=(\d+)}mi;

    is(hashes($code // 0), sha256_hex($file), "$short bytes short of a block")
        or diag substr $answer, 0, 300;
}

$p->done;
