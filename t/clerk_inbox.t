#!/usr/bin/perl

# The inbox: tabs and their counts, filters, keyset pages, search by every
# kind of thing; and that nothing searched stands in an address or a log.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Mojo::Util qw(url_unescape);
use Portal;

my $p = Portal->new;
my %message;

open my $in, '<:encoding(UTF-8)', "$FindBin::RealBin/../html/messages.txt"
    or die "messages.txt: $!\n";
/^(\w+):\s+(.*)$/ and $message{$1} = $2 while <$in>;

my ($clerk, $expert, $manager) =
    map { $p->browser->clerk_login($_) } qw(clerk expert manager);

# Letters of two people.

sub citizen {
    my ($first, $last) = @_;
    my $b = $p->browser;
    my $who = $b->signup;

    $p->db->do(q{UPDATE persons SET mobile_step = 'yes',
                 registry_step = 'yes', first_name = ?, last_name = ?,
                 father_name = 'علی' WHERE national_code = ?}, undef, $first,
               $last, $who->{national_code});
    return ($b, $who);
}

my $n = 0;

sub send_letter {
    my ($b, %with) = @_;

    return $b->send_letter(files => [[ 'p.png',
        Portal::Browser::tiny_png('p' . $n++), 'image/png' ]], %with);
}

my ($zahra, $z) = citizen('زهرا', 'کریمی‌نژاد');
my ($ali, $a) = citizen('علی', 'یوسفی');

my $legal_id = legal_id();
my %company = (person_kind => 'legal', company_name => 'شرکت آب‌رسانی کویر',
    company_national_id => $legal_id,
    registration_number => substr($legal_id, 3, 6) + 0 || 1,
    company_postal_code => postal_code(), company_phone => phone(),
    position => 'مدیرعامل');

$p->secret($legal_id, $z->{mobile}, $a->{mobile});

my $water = send_letter($zahra, subject => 'درخواست انشعاب آب');
my $book = send_letter($ali, subject => 'کتاب و کاغذ');
my $late = send_letter($ali, subject => 'نامهٔ دیرشده');

$ali->get('/desk/letters/new');
my $company = send_letter($ali, subject => 'لوله‌کشی', %company);

sub codes { map { $_->{tracking_code} } @{ $_[0]->{letters} // [] } }
sub key   { join '', map { ('a' .. 'z')[rand 26] } 1 .. 24 }

# What a tab or an address of the inbox lists, oldest first.

sub listed {
    my ($b, $query) = @_;

    return join ' ', reverse codes($b->json("/clerk/$query"));
}

sub counts {
    my ($b) = @_;

    return { map { $_->{tab} => $_->{count} }
             @{ $b->json('/clerk/')->{tabs} } };
}


# Tabs.

is($clerk->get('/clerk/')->status, 200, 'the inbox');
is($clerk->dom->find('.tabs a')->size, 6, 'has six tabs');
is($clerk->dom->at('.tabs a[aria-current]')->attr('href'), '/clerk/?tab=new',
   'the first is shown');
is(listed($clerk, ''), "$water $book $late $company", 'all are new');
is(listed($clerk, '?tab=nonsense'), "$water $book $late $company",
   'a tab that is none is the first');
is_deeply(counts($clerk), { new => 4, mine => 0, unit => 0, referred => 0,
                            late => 0, undelivered => 0 }, 'the counts');
is_deeply(counts($expert), { unit => 0, late => 0 },
          'an expert has those that are of use, and nothing in them');
is(listed($expert, '?tab=new'), '', 'nor in another tab');

my %unit = map { $_->{code} => $_->{id} } $p->sql('SELECT code, id FROM units');

$clerk->get("/clerk/letters/$book");
$clerk->post("/clerk/letters/$book/register",
             { submission_key => key(), book => '' })
      ->expect(303, 'register');
$clerk->post("/clerk/letters/$water/refer",
             { submission_key => key(), unit => $unit{technical},
               instruction => 'بررسی' })->expect(303, 'refer');
$p->db->do('UPDATE letters SET due_on = current_date - 3 WHERE
            tracking_code = ?', undef, $late);
$p->db->do('UPDATE letters SET undelivered = true WHERE tracking_code = ?',
           undef, $company);

is(listed($clerk, '?tab=new'), "$late $company", 'new');
is(listed($clerk, '?tab=mine'), "$water $book", 'mine');
is(listed($clerk, '?tab=referred'), $water, 'referred');
is(listed($clerk, '?tab=late'), $late, 'late');
is(listed($clerk, '?tab=undelivered'), $company, 'undelivered');
is(listed($clerk, '?tab=unit'), '', 'nothing for the secretariat');
is(listed($expert, '?tab=unit'), $water, 'one for the unit of the expert');
is(listed($manager, '?tab=unit'), $water, 'and its manager');
is_deeply(counts($clerk), { new => 2, mine => 2, unit => 0, referred => 1,
                            late => 1, undelivered => 1 }, 'the counts');
is_deeply(counts($expert), { unit => 1, late => 0 },
          'what an expert is concerned by');

$clerk->get('/clerk/?tab=late');
like($clerk->dom->at('main')->all_text, qr/دیرشده/, 'late ones say so');
like($clerk->get('/clerk/?tab=undelivered')->text, qr/پیامک نرسید/,
     'undelivered ones too');

# What somebody else has done last is seen, until a colleague does something.

sub news {
    my ($code) = @_;
    my ($row) = grep { $_->{tracking_code} eq $code }
                @{ $clerk->json('/clerk/?tab=mine')->{letters} };

    return $row->{news};
}

my $referral = $p->value('SELECT max(id) FROM referrals');

is(news($water), undef, 'referred by the secretariat: no news');
$expert->post("/clerk/referrals/$referral/answer",
              { submission_key => key(), body => 'بلامانع است' })
       ->expect(303, 'the answer');
is(news($water), 'referral_answered', 'an answer of a unit is news');
like($clerk->get('/clerk/?tab=mine')->text,
     qr/\Q$message{news_referral_answered}\E/, 'in words');
unlike($expert->get('/clerk/')->text,
       qr/\Q$message{news_referral_answered}\E/, 'not for an expert');
$clerk->post("/clerk/letters/$water/note",
             { submission_key => key(), note_body => 'دیدم' })
      ->expect(303, 'a note');
is(news($water), undef, 'and was seen to');

$p->db->do(q{UPDATE letters SET created_at = created_at - interval '40 days'
             WHERE tracking_code = ?}, undef, $late);


# Filters.

is(listed($clerk, '?tab=new&status=registered'), "$late $company",
   'by status');
is(listed($clerk, '?tab=mine&status=review'), $water, 'one status');
is(listed($clerk, "?tab=mine&unit=$unit{technical}"), $water, 'by unit');
is(listed($clerk, "?tab=mine&unit=$unit{legal}"), '', 'another unit');

my $today = $p->value(q{SELECT year || '/' || month || '/' || day_of_month
                          FROM jalali_days WHERE day = today()});

is(listed($clerk, "?tab=new&from=$today"), $company, 'from a date');
is(listed($clerk, '?tab=new&to=' . fa('1400/1/1')), '', 'to a date');
is(listed($clerk, "?tab=new&from=$today&to=$today"), $company, 'both');
$clerk->get("/clerk/?tab=mine&status=review&unit=$unit{technical}"
            . "&from=$today");
is($clerk->dom->at('#status option[selected]')->val, 'review',
   'the status stays chosen');
is($clerk->dom->at('#unit option[selected]')->val, $unit{technical},
   'the unit too');
is($clerk->dom->at('#from')->val, $today, 'the date as typed');
is($clerk->get('/clerk/?from=1405/13/1')->status, 200, 'no such date');
like($clerk->dom->at('#error-summary')->all_text,
     qr/\Q$message{from_wrong}\E/, 'says so');
$clerk->get('/clerk/?from=1405/2/1&to=1405/1/1');
like($clerk->dom->at('#error-summary')->all_text,
     qr/\Q$message{from_after_to}\E/, 'from after to');


# Search.

sub search {
    my ($b, $q, %filters) = @_;

    $b->get('/clerk/?tab=mine');
    $b->submit({ q => $q, %filters }, 'form[action$="/search"]');
    return '' if $b->status != 303;

    my $to = $b->path;

    die "«$q» stands in $to\n"
        if index(url_unescape($to), $q) >= 0 && length $q > 2;
    return listed($b, $to =~ s{^/clerk/}{}r);
}

my $number = $p->value('SELECT register_number FROM letters
                        WHERE tracking_code = ?', $book);
my ($year) = $today =~ /^(\d+)/;

my $company_name = $p->value('SELECT company_name FROM letters
                              WHERE tracking_code = ?', $company);

for my $case (
    [ 'the tracking code',     $water,                  $water ],
    [ 'in Persian digits',     fa($water),              $water ],
    [ 'the national code',     $z->{national_code},     $water ],
    [ 'in Arabic digits',      ar($z->{national_code}), $water ],
    [ 'the mobile',            $z->{mobile},            $water ],
    [ 'the register number',   $number,                 $book ],
    [ 'with its year',         "$number/$year",         $book ],
    [ 'of another year',       "$number/1399",          '' ],
    [ 'the first name',        'زهرا',                  $water ],
    [ 'the last name',         'کریمی',                 $water ],
    [ 'with a half space',     'کریمی‌نژاد',             $water ],
    [ 'both names',            'زهرا کریمی',            $water ],
    [ 'a word of the subject', 'انشعاب',                $water ],
    [ 'its beginning',         'انشع',                  $water ],
    [ 'Arabic letters',        'كتاب',                  $book ],
    [ 'the company',           $company_name,           $company ],
    [ 'its national id',       $legal_id,               $company ],
    [ 'what is not there',     'ناموجود',               '' ],
    [ 'quotes and signs',      q{'";--%_\\ & | ! ( : *}, '' ],
) {
    my ($what, $q, $expected) = @$case;

    is(search($clerk, $q), $expected, "search: $what");
}

is(search($expert, 'درخواست'), $water, 'an expert finds what is theirs');
is(search($expert, $book), '', 'and nothing else');

is(search($clerk, $book), $book, 'a number');
is_deeply($p->db->selectrow_arrayref(q{SELECT actor, object, object_id,
              details::text FROM audit WHERE action = 'read'
              ORDER BY id DESC LIMIT 1}),
          [ 'staff', 'search', undef,
            '{"length": ' . length($book) . '}' ],
          'the audit has the search, and not what for');

search($clerk, 'یوسفی');
is($clerk->json('/clerk/' . ($clerk->tx->req->url->path_query =~
       s{^/clerk/}{}r))->{q}, 'یوسفی', 'what was searched is shown');

my $query = $clerk->tx->req->url->path_query;

like($query, qr{^/clerk/\?s=[\w-]{22}$}, 'under an opaque id');
is(listed($clerk, ($query =~ s{^/clerk/}{}r) . '&status=registered'),
   "$late $company", 'a filter of the search');
$clerk->get("$query&status=registered");
is($clerk->dom->at('form[action$="/search"] [name=status]')->val,
   'registered', 'goes on with the next search');
$clerk->submit({ q => 'علی' }, 'form[action$="/search"]');
like($clerk->path, qr/^\/clerk\/\?s=[\w-]{22}&status=registered$/,
     'goes with it');
is(listed($clerk, $clerk->path =~ s{^/clerk/}{}r), "$late $company",
   'and holds for it');

is($manager->get($query)->status, 200, "somebody else's search");
like($manager->dom->at('#error-summary')->all_text,
     qr/\Q$message{search_gone}\E/, 'is not there');
is($manager->dom->at('#q')->val, '', 'nor what was searched');
$clerk->get('/clerk/');
is($clerk->submit({ q => ' ' }, 'form[action$="/search"]')->status, 422,
   'an empty search');
like($clerk->dom->at('#error-summary')->all_text,
     qr/\Q$message{search_empty}\E/, 'says so');
is($clerk->dom->at('#q')->attr('aria-describedby'), 'error-q',
   'and at its field');
is($clerk->error('q'), "خطا: $message{search_empty}", 'in the same words');
ok($clerk->dom->at('.tabs'), 'over the inbox');
is($clerk->post('/clerk/search', { q => 'x', csrf => undef })->status, 403,
   'no csrf');
is($clerk->get('/clerk/search')->status, 405, 'a search is posted');


# Pages by key: 60 letters, 25 on each.

$p->db->do(q{
    DO $$
    DECLARE
        r   letters;
        o   letters;
    BEGIN
        SELECT * INTO o FROM letters WHERE subject = 'کتاب و کاغذ';
        FOR i IN 1 .. 60 LOOP
            r := o;
            INSERT INTO letters (tracking_code, person_id, person_kind,
                first_name, last_name, father_name, birth_date,
                national_code, mobile, address, subject, body, due_on,
                created_at, search)
            VALUES ((20000000 + i)::text, r.person_id, r.person_kind,
                r.first_name, r.last_name, r.father_name, r.birth_date,
                r.national_code, r.mobile, r.address, 'صفحه', '', r.due_on,
                timestamptz '2025-01-01' + i / 2 * interval '1 hour',
                search_words('صفحه'));
        END LOOP;
    END $$});

sub walk {
    my ($b, $first) = @_;
    my (@all, $pages);

    for ($b->get($first); ; $b->get($b->dom->at('.pager [rel=next]')
                                      ->attr('href')))
    {
        push @all, map { $_->attr('href') =~ /(\d+)$/ }
            $b->dom->find('td.main a')->each;
        last if ++$pages > 5 || !$b->dom->at('.pager [rel=next]');
    }

    return ($pages, @all);
}

my ($pages, @all) = walk($clerk, '/clerk/?tab=new&to=1404/01/01');

is($pages, 3, 'three pages');
is(scalar @all, 60, 'all letters');
is(join(' ', @all), join(' ', map { 20000000 + $_ } reverse 1 .. 60),
   'each once, the newest first');
ok($clerk->dom->at('.pager [rel=prev]'), 'and back to the first');
($pages, @all) = do {
    $clerk->get('/clerk/');
    $clerk->submit({ q => 'صفحه' }, 'form[action$="/search"]');
    walk($clerk, $clerk->path);
};
is($pages, 3, 'a search has pages too');
is(join(' ', @all), join(' ', map { 20000000 + $_ } reverse 1 .. 60),
   'in the same order');
is($clerk->get('/clerk/?page=nonsense')->status, 200,
   'a page that is none is the first');


# Counts are exact up to a limit.

$p->configure(http => ($p->{options}{http} // '')
                      . "    correspondence_inbox_count_max 20;\n");
ok($p->reload, 'a limit of counts');

my ($new) = grep { $_->{tab} eq 'new' } @{ $clerk->json('/clerk/')->{tabs} };

is($new->{count}, 20, 'no more are counted');
ok($new->{more}, 'and there are more');
like($clerk->get('/clerk/')->dom->at('.tabs a .badge')->text, qr/^۲۰\+$/,
     'which the tab says');


# Nothing of it in the logs (mobiles, national codes and the company's id are
# looked for at the end as well).

unlike($p->log('access'), qr/\Q$z->{national_code}\E|[?&]q=/,
       'no search in the access log');

$p->done;
