#!/usr/bin/perl

# Stored files: whose they are, how they are sent, who read them.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Digest::SHA qw(sha256_hex);
use Portal;

my $p = Portal->new(http => "    correspondence_reading_memory 0;\n");

# What may happen in a picture, and in a PDF, which a browser's own viewer
# does not show in a sandbox.

my %policy = (
    picture => "default-src 'none'; style-src 'unsafe-inline'; "
        . "img-src 'self'; object-src 'self'; sandbox; base-uri 'none'; "
        . "frame-ancestors 'self'",
    pdf => "default-src 'none'; object-src 'self'; base-uri 'none'; "
        . "form-action 'none'; frame-ancestors 'self'");
my $png = Portal::Browser::tiny_png('one');


# The smallest whole PDF, with its table of offsets.

sub pdf {
    my @objects = ('<</Type/Catalog/Pages 2 0 R>>',
                   '<</Type/Pages/Kids[3 0 R]/Count 1>>',
                   '<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>');
    my $pdf = "%PDF-1.4\n";
    my @at;

    for my $i (0 .. $#objects) {
        push @at, length $pdf;
        $pdf .= ($i + 1) . " 0 obj\n$objects[$i]\nendobj\n";
    }

    my $xref = length $pdf;

    $pdf .= "xref\n0 4\n0000000000 65535 f \n";
    $pdf .= sprintf "%010d 00000 n \n", $_ for @at;
    return $pdf . "trailer\n<</Size 4/Root 1 0 R>>\nstartxref\n$xref\n"
                . "%%EOF\n";
}


sub citizen {
    my $b = $p->browser;
    my $who = $b->signup;

    $p->db->do(q{UPDATE persons SET mobile_step = 'yes',
                 registry_step = 'yes', first_name = 'زهرا',
                 last_name = 'کریمی', father_name = 'علی'
                 WHERE national_code = ?}, undef, $who->{national_code});
    return $b;
}

my $pdf = pdf();
my ($b, $other) = (citizen(), citizen());
my $code = $b->send_letter(
    files => [ [ 'نامهٔ "من".png', $png, 'image/png' ],
               [ 'مدرک.pdf', $pdf, 'application/octet-stream' ] ]);
my %id = map { $_->{media_type} => $_->{id} } $p->sql(
    'SELECT f.id, f.media_type FROM files AS f JOIN letters AS l
         ON l.id = f.letter_id WHERE l.tracking_code = ?', $code);

is(join(' ', sort keys %id), 'application/pdf image/png',
   'types by content, not by what the browser said');

sub reads { $p->value(q{SELECT count(*) FROM audit WHERE action = 'file_read'
                        AND object_id = ?}, $_[0]) }


# A picture.

my $path = "/desk/files/$id{'image/png'}";

$b->get("/desk/letters/$code");
ok($b->dom->at(qq(a[href="$path"])), 'the letter leads to it');
is($b->get($path)->status, 200, 'the picture');
is($b->body, $png, 'byte by byte');
is($b->header('Content-Type'), 'image/png', 'its type');
is($b->header('X-Content-Type-Options'), 'nosniff', 'not sniffed');
is($b->header('Content-Security-Policy'), $policy{picture},
   'a policy of its own');
like($b->header('Content-Disposition'), qr/^inline;/, 'shown, not saved');
like($b->header('Content-Disposition'), qr/filename\*=UTF-8''%D9%86/,
     'with its name');
unlike($b->header('Content-Disposition'), qr/filename\*=[^;]*"/,
       'whose quotes do not break out');
like($b->header('Cache-Control'), qr/no-store/, 'nobody keeps it');

# The same bytes lie there once, made young when anybody sends them again.

ok(!defined $b->header($_), "no $_") for qw(Last-Modified ETag);
is(reads($id{'image/png'}), 1, 'the reading is in the audit');

$b->get($path, { Range => 'bytes=8-15' });
is($b->status, 206, 'a piece');
is($b->body, substr($png, 8, 8), 'the right one');
is(reads($id{'image/png'}), 1, 'of the same reading');

# However it is asked for: whoever has the bytes has read them.

for my $how ({ Range => 'bytes=0-7' }, { Range => 'bytes=1-' },
             { Range => 'bytes=-99999999' }, { Range => 'bytes=00-' },
             { Range => 'bytes=1-', 'If-Range' => '"another"' })
{
    my $reader = citizen();

    $reader->send_letter(files => [ [ 'x.png', $png, 'image/png' ] ]);

    my $file = $p->value('SELECT id FROM files ORDER BY created_at DESC
                          LIMIT 1');
    my $as = join ', ', map { "$_: $how->{$_}" } sort keys %$how;

    $reader->request(HEAD => "/desk/files/$file", $how);
    is(reads($file), 0, 'the header alone is no reading');
    $reader->get("/desk/files/$file", $how);
    like($reader->status, qr/^20[06]$/, "asked for with $as");
    is(reads($file), 1, 'is in the audit');
}

$p->sql(q{ALTER TABLE audit DISABLE TRIGGER audit_append_only});
$p->sql(q{UPDATE audit SET at = at - interval '11 minutes'
           WHERE action = 'file_read'});
$p->sql(q{ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_append_only});
$b->get($path, { Range => 'bytes=8-15' });
is(reads($id{'image/png'}), 2, 'later, it is another reading');


# A PDF.

$path = "/desk/files/$id{'application/pdf'}";
is($b->get($path)->status, 200, 'the PDF');
is($b->body, $pdf, 'byte by byte');
is($b->header('Content-Type'), 'application/pdf', 'its type');
like($b->header('Content-Disposition'), qr/^inline;/, 'for the viewer');
is($b->header('Content-Security-Policy'), $policy{pdf}, 'its policy');


# What lies in the store.

my $hash = sha256_hex($pdf);
my $file = "$p->{dir}/store/" . substr($hash, 0, 2) . '/'
           . substr($hash, 2, 2) . "/$hash";

ok(-f $file, 'lies by its content');

# the same content again is one file, and two rows

$other->send_letter(files => [ [ 'x.pdf', $pdf, 'application/pdf' ] ]);
is($p->value('SELECT count(*) FROM files WHERE sha256 = decode(?, \'hex\')',
             $hash), 2, 'two rows');


# Others.

my $nobody = $p->browser;

is($other->get($path)->status, 404, 'not somebody else\'s');
is(reads($id{'application/pdf'}), 1, 'and no reading');
is($nobody->get($path)->status, 303, 'nobody: log in');
is($b->get('/desk/files/' . '0' x 8 . '-0000-0000-0000-' . '0' x 12)->status,
   404, 'no such file');
is($b->get("/desk/files/$_")->status, 404, "not an id: $_")
    for 'x', '..%2f..%2fetc%2fpasswd', '1', "$id{'image/png'}'";

# what is not for the citizen

$p->db->do(q{UPDATE files SET visibility = 'internal' WHERE id = ?}, undef,
           $id{'image/png'});
is($b->get("/desk/files/$id{'image/png'}")->status, 404, 'internal files');
is($b->get("/files/$id{'image/png'}")->status, 404, 'nor by another way');


# Clerks.

my $clerk = $p->browser;

$clerk->clerk_login('clerk');
is($clerk->get("/clerk/files/$id{'image/png'}")->status, 200, 'a clerk');
is($clerk->body, $png, 'reads it');
is($clerk->header('Content-Security-Policy'), $policy{picture},
   'in a frame of our own');
is($p->value(q{SELECT count(*) FROM audit WHERE action = 'file_read'
               AND actor = 'staff' AND object_id = ?}, $id{'image/png'}), 1,
   'the reading is in the audit');

my $expert = $p->browser;

$expert->clerk_login('expert');
is($expert->get("/clerk/files/$id{'image/png'}")->status, 404,
   'an expert: what was not referred to the unit');
is($b->get("/clerk/files/$id{'image/png'}")->status, 303,
   'a citizen is nobody there');
is($clerk->get("/desk/files/$id{'application/pdf'}")->status, 303,
   'nor a clerk here');


# One that is there and cannot be opened now, for want of descriptors.

my ($worker) = $p->workers;

$p->allow(qr/stored file "[^"]+" cannot be opened/,
          qr/open\(\) "[^"]+" failed/, qr/accept4\(\) failed/);
$b->get('/desk')->expect(200, 'a connection that is open');
$p->descriptors($worker, 4);
is($b->get($path)->status, 503, 'no descriptor is left: later');
$p->descriptors($worker, 1024);
is($b->get($path)->status, 200, 'which is now');


# Each kind of file, by everybody and in every way of asking.

my ($owner, $another) = (citizen(), citizen());
my $work = $p->browser->clerk_login('clerk');
my $mark = 0;

sub picture {
    return [[ 'p.png', Portal::Browser::tiny_png('kind ' . ++$mark),
              'image/png' ]];
}

sub newest {
    my ($purpose) = @_;

    return $p->value('SELECT id FROM files WHERE purpose = ?
                       ORDER BY created_at DESC LIMIT 1', $purpose);
}

sub key { join '', map { ('a' .. 'z')[rand 26] } 1 .. 24 }

sub acts {
    my ($path, %fields) = @_;

    $work->post("/clerk/letters/$path", { submission_key => key(),
        version => $p->value('SELECT version FROM letters
                               WHERE tracking_code = ?', $path =~ /(\d+)/),
        %fields })->expect(303, $path);
}

my %kind;
my $sent = $owner->send_letter(files => picture());
$kind{letter} = newest('letter');

$owner->get('/desk/letters/new');
$owner->post('/desk/letters/check', { submission_key => key(),
    person_kind => 'natural', address => 'تهران', subject => 'پیش‌نویس',
    body => 'متن', file => picture() })->expect(303, 'a draft');
$kind{draft} = newest('draft');

$owner->get('/desk/tickets/new')->submit({ subject => 'کمک', body => 'متن',
    file => picture() })->expect(303, 'a ticket');
$kind{ticket} = newest('ticket');

acts("$sent/ask-correction", correction_body => 'خوانا نیست',
     file_id => $kind{letter});
$owner->post("/desk/letters/$sent/corrections", { submission_key => key(),
    file_id => $kind{letter}, file => picture() })
    ->expect(303, 'a correction');
$kind{correction} = newest('correction');

acts("$sent/reply", body => 'پاسخ', final => 1);
$owner->post("/desk/letters/$sent/followups", { submission_key => key(),
    body => 'پیرو', file => picture() })->expect(303, 'a follow-up');
$kind{followup} = newest('followup');

my %way = (GET => [ GET => {}, 200 ], HEAD => [ HEAD => {}, 200 ],
           Range => [ GET => { Range => 'bytes=0-7' }, 206 ]);

for my $kind (sort keys %kind) {
    my $at = "/desk/files/$kind{$kind}";

    for my $way (sort keys %way) {
        my ($method, $headers, $right) = @{ $way{$way} };

        for my $who ([ another => $another, 404 ], [ nobody => $nobody, 303 ],
                     [ owner => $owner, $right ])
        {
            my ($name, $as, $status) = @$who;

            $as->request($method => $at, $headers);
            is($as->status, $status, "$kind, $way: $name");
            ok($as->body !~ /^\x89PNG/, 'who has nothing of it')
                if $name ne 'owner';
        }
    }

    is($p->value(q{SELECT count(*) FROM audit WHERE action = 'file_read'
                   AND object_id = ? AND actor_id <> ?}, $kind{$kind},
                 $p->value('SELECT id FROM persons WHERE national_code = ?',
                           $owner->{person}{national_code})), 0,
       "$kind: read by nobody else");
}

# What was read a moment ago is no right to its rest.

my $mine = "/desk/files/$kind{letter}";

is($owner->get($mine, { Range => 'bytes=8-15' })->status, 206, 'a next piece');
$p->sql('UPDATE persons SET session_epoch = session_epoch + 1
          WHERE national_code = ?', $owner->{person}{national_code});
is($owner->get($mine, { Range => 'bytes=8-15' })->status, 303,
   'not when all sessions of the account were ended');
like($owner->header('Location'), qr{/login\?ended=1}, 'who is told so');


# A file that is gone from the disk is said, not sent empty.

unlink $file or die;
is($b->get($path)->status, 500, 'a file that is gone');

$p->done;
