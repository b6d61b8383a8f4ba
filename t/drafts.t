#!/usr/bin/perl

# The way through the page of answers, drafts, and forms whose session ended.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $p = Portal->new;

sub png { [ $_[1] // 'a.png', Portal::Browser::tiny_png($_[0]),
            'image/png' ] }

my %letter = (person_kind => 'natural', address => 'یزد، خیابان کاشانی',
              subject => 'بازبینی', body => 'متن نامه');

sub identified {
    my ($b) = @_;

    $p->db->do(q{UPDATE persons SET mobile_step = 'yes',
                 registry_step = 'yes', first_name = 'زهرا',
                 last_name = 'کریمی', father_name = 'علی'
                 WHERE national_code = ?}, undef,
               $b->{person}{national_code});
    return $b;
}

sub citizen {
    my $b = $p->browser;

    $b->signup;
    return identified($b);
}

sub check {
    my ($b, %with) = @_;

    $b->get('/desk/letters/new')->expect(200, 'the form');
    return $b->post('/desk/letters/check', {
        %{ Portal::Browser::preset($b->form({}, 'form[enctype]')) },
        %letter, file => [ png('check') ], %with });
}

sub drafts { $p->value('SELECT count(*) FROM drafts') }

my ($b, $other) = (citizen(), citizen());


# Checked, looked at, sent.

is(check($b)->status, 303, 'the form is right');
like($b->path, qr{^/desk/letters/drafts/[0-9a-f-]{36}$}, 'to its page');

my $page = $b->path;
my ($draft) = $page =~ m{([^/]+)$};

is($p->value('SELECT count(*) FROM letters'), 0, 'nothing is sent yet');
$b->follow->expect(200, 'the page');
like($b->text, qr/\Q$_\E/, "it shows: $_")
    for 'بازبینی', 'متن نامه', 'خیابان کاشانی', 'حقیقی', 'a.png', 'زهرا';
ok($b->dom->at(qq(a[href^="/desk/letters/new?draft=$draft"])),
   'a way to change it');
like($b->json($page)->{letter}{subject}, qr/بازبینی/, 'JSON');

is($other->get($page)->status, 404, 'not somebody else\'s');
is($other->get("/desk/letters/new?draft=$draft")->status, 404,
   'nor to change');
$other->get('/desk');
$other->post('/desk/letters', { draft => $draft,
                                submission_key => 'o' x 32 });
is($other->status, 422, 'nor to send');
is($b->get('/desk/letters/drafts/x')->status, 404, 'no such page');

# changed

$b->get("/desk/letters/new?draft=$draft")->expect(200, 'changing');
is($b->dom->at('[name="subject"]')->attr('value'), 'بازبینی',
   'with what was written');
is($b->dom->find('[name="kept_file"]')->size, 1, 'and its file');
$b->post('/desk/letters/check', {
    %{ Portal::Browser::preset($b->form({}, 'form[enctype]')) },
    subject => 'بازبینی دوم', file => [ png('more', 'b.png') ] });
is($b->status, 303, 'checked again');
is($b->path, $page, 'the same page');
$b->follow;
like($b->text, qr/بازبینی دوم/, 'has the new subject');
like($b->text, qr/a\.png.*b\.png/s, 'and both files');

# sent, twice

my %send = %{ Portal::Browser::preset($b->form({}, 'main form')) };

$b->post('/desk/letters', \%send);
is($b->status, 303, 'sent');

my ($code) = $b->path =~ /sent=(\d+)$/;

ok($code, 'as a letter');
$b->post('/desk/letters', \%send);
is($b->path, "/desk/letters?sent=$code", 'sent again: the same letter');

my ($row) = $p->sql('SELECT * FROM letters WHERE tracking_code = ?', $code);

is($row->{subject}, 'بازبینی دوم', 'with the subject');
is($row->{file_count}, 2, 'and the files');
is(drafts(), 0, 'the draft is gone');
is($b->get($page)->status, 404, 'and its page');

$b->post('/desk/letters', { %send, submission_key => 'x' x 32 });
is($b->status, 422, 'another form of the same draft');
like($b->text, qr/پیش‌نویس این درخواست دیگر در دسترس نیست/, 'is told');

# refused: the whole form again

is(check($b, subject => '')->status, 422, 'a form that is not right');
ok($b->dom->at('form[enctype]'), 'is the form');
is($b->dom->find('[name="kept_file"]')->size, 1, 'with its file');

my $kept = $b->dom->at('[name="draft"]')->attr('value');

is($b->get("/desk/letters/drafts/$kept")->status, 303,
   'what was not checked has no page');
$b->post('/desk/letters', { draft => $kept, submission_key => 'y' x 32 });
is($b->status, 422, 'and is not sent');
ok($b->error('subject'), 'but checked');

# offered on the next form

$b->get('/desk/letters/new');
ok($b->dom->at(qq(a[href="/desk/letters/new?draft=$kept"])),
   'what was not sent waits');


# Thrown away by hand, its files left to the collector.

sub discard { $_[0]->submit({}, qq(form[action\$="/drafts/$_[1]/discard"])) }

sub draft_there { $p->value('SELECT count(*) FROM drafts WHERE id = ?', @_) }

sub draft_files {
    $p->value('SELECT count(*) FROM files WHERE draft_id = ?', @_)
}

is(check($b, subject => 'رها شده')->status, 303, 'one more draft');

my ($left) = $b->path =~ m{([^/]+)$};

$b->follow;
ok($b->dom->at(qq(form[action\$="/drafts/$left/discard"])),
   'its page has a way to throw it away');
$b->get('/desk/letters');
like($b->text, qr/نیمه‌کاره.*رها شده/s, 'the list has it');
ok($b->dom->at(qq(a[href="/desk/letters/new?draft=$left"])),
   'and the way on');
is(scalar @{ $b->json('/desk/letters')->{drafts} }, drafts(), 'JSON too');

$other->get('/desk');
$other->post("/desk/letters/drafts/$left/discard", {});
is($other->status, 303, 'somebody else gets the same answer as for none');
ok(draft_there($left), 'and throws nothing away');
is($b->post("/desk/letters/drafts/$left/discard", { csrf => 'x' })->status,
   403, 'not without the token');
ok(draft_there($left), 'it is still there');
is(draft_files($left), 1, 'with its file');

$b->get('/desk/letters');
discard($b, $left)->expect(303, 'thrown away');
is($b->path, '/desk/letters?flash=draft_discarded', 'to the list');
$b->follow;
like($b->flash, qr/دور ریخته شد/, 'which says so');
unlike($b->body, qr/رها شده/, 'and has it no more');
ok(!draft_there($left), 'the draft is gone');
is(draft_files($left), 0, 'its file has no row, so the collector takes it');
is($b->post("/desk/letters/drafts/$left/discard", {})->status, 303,
   'a second click is none too many');
is($b->post('/desk/letters/drafts/x/discard', {})->status, 404,
   'what is no name of a draft is not found');

# a company is asked about once

my $legal = legal_id();

is(check($b, person_kind => 'legal', company_name => 'x',
         company_national_id => $legal,
         registration_number => substr($legal, 3, 6) + 0 || 1,
         company_postal_code => postal_code(), company_phone => phone(),
         position => 'مدیر')->status, 303, 'a company');
$b->follow;
like($b->text, qr/نام شخص حقوقی\s*شرکت /, 'its name is the registry\'s');

my $asked = () = $p->requests('company');

$b->submit({}, 'main form');
is($b->status, 303, 'is sent');
is(scalar(() = $p->requests('company')), $asked, 'and not asked again');
ok($p->value('SELECT company_checked FROM letters ORDER BY id DESC LIMIT 1'),
   'the letter is a checked company\'s');


# A session that ends while somebody writes.

sub end_sessions {
    my $redis = "redis-cli -s $p->{instance}{sockets}/redis.sock";

    system("$redis --scan --pattern 's:*' | xargs -r $redis del >/dev/null")
        == 0 or die;
}

$b->set_password;
$b->get('/desk/letters/new');

my %typed = (%{ Portal::Browser::preset($b->form({}, 'form[enctype]')) },
             %letter, subject => 'نشست تمام شد',
             body => "خط یک\nخط «دو»", file => [ png('left', 'مانده.png') ]);
my $before = drafts();

end_sessions();
$b->post('/desk/letters', \%typed);
is($b->status, 303, 'the session is over');
like($b->path, qr{^/login\?.*ended=1}, 'log in');
is(drafts(), $before, 'nothing is stored for nobody');

# somebody else at the same computer

my $second = $p->browser;

$second->signup;
$second->set_password;
identified($second);
$b->follow;
$b->login($second->{person}{national_code}, $second->{person}{password});
$b->get('/desk/letters/new')->expect(200, 'somebody else\'s form');
unlike($b->body, qr/نشست تمام شد/, 'has nothing of it');
$b->post('/logout', {});

# the same person

$b->login($b->{person}{national_code}, $b->{person}{password});
$b->get('/desk/letters/new');
is($b->status, 303, 'the same person');
$b->follow;
is($b->dom->at('[name="subject"]')->attr('value'), 'نشست تمام شد',
   'finds what was written');
like($b->dom->at('[name="body"]')->text, qr/خط یک\n.*«دو»/s, 'all of it');
like($b->text, qr/مانده\.png/, 'and the file');
like($b->flash, qr/هنوز فرستاده نشده/, 'and is told');
ok($b->dom->at('.flash.note'), 'as something to be done');
$b->submit({}, 'form[enctype]');
is($b->status, 303, 'and sends it');
is($p->value(q{SELECT file_count FROM letters
               WHERE subject = 'نشست تمام شد'}), 1, 'with the file');
is($b->get('/desk/letters/new')->status, 200, 'it is not there twice');

# all sessions were ended, on another device

%typed = (%{ Portal::Browser::preset($b->form({}, 'form[enctype]')) },
          %letter, subject => 'همهٔ نشست‌ها', file => [ png('left', 'دیگر.png') ]);
$p->owner('UPDATE persons SET session_epoch = session_epoch + 1');
$b->post('/desk/letters', \%typed);
like($b->path, qr{^/login\?.*ended=1}, 'ended elsewhere: log in');
$b->login($b->{person}{national_code}, $b->{person}{password});
$b->get('/desk/letters/new')->follow;
is($b->dom->at('[name="subject"]')->attr('value'), 'همهٔ نشست‌ها',
   'and go on with what was written');
like($b->text, qr{دیگر\.png}, 'and its file');

# not without the token of that form

$b->get('/desk/letters/new');
%typed = (%{ Portal::Browser::preset($b->form({}, 'form[enctype]')) },
          %letter, file => [ png('left') ]);
end_sessions();
is($b->post('/desk/letters', { %typed, csrf => 'x' x 64 })->status, 403,
   'a form without the token');

# nor for who never had a session: the browser's own token is another

my $nobody = $p->browser;

$nobody->get('/login');
is($nobody->post('/desk/letters', { %letter, submission_key => 'n' x 40,
                                    file => [ png('n') ] },
                 { Cookie => 'correspondence='
                             . $nobody->cookie('correspondence-browser') })
          ->status, 403, 'nobody leaves anything');
is($p->browser->post('/desk/letters', { %letter, csrf => 'x' })->status, 303,
   'without a cookie it is not even read');

# programs are told

end_sessions();
$b->post('/desk/letters', \%typed, { Accept => 'application/json' });
is($b->status, 401, 'JSON: 401');

$p->done;
