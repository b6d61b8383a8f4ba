#!/usr/bin/perl

# Tickets, both ways; the page's own side of them.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use POSIX ();

use Portal;
use Portal::Texts;

my $p = Portal->new;
my $b = $p->browser;
my $person = $b->signup;

$b->get('/desk/tickets');
is($b->status, 200, 'no tickets yet');

is($b->get("/desk/tickets?page=$_")->status, 404, "no such page: $_")
    for 0, 10_001, 2_147_483_647;

# refusals

for my $case ([ { subject => '' }, 'subject', 'subject_required' ],
              [ { body => " \x{200f} " }, 'body', 'body_required' ],
              [ { subject => 'م' x 121 }, 'subject', 'subject_too_long',
                max => 120 ],
              [ { body => 'م' x 4001 }, 'body', 'body_too_long',
                max => 4000 ])
{
    my ($fields, $at, $name, %values) = @$case;

    $b->get('/desk/tickets/new')->submit({ subject => 'کمک', body => 'متن',
                                           %$fields });
    is($b->status, 422, "$name: refused");
    is($b->error($at), 'خطا: ' . msg($name, %values), $name);
    my $other = $at eq 'body' ? 'subject' : 'body';
    ok(length $b->dom->at("#$other")->val, "$name: the rest is kept");
}

$b->get('/desk/tickets/new');
$b->post('/desk/tickets', { subject => 'x', body => 'y',
                            submission_key => 'short' });
is($b->status, 422, 'a key that is none');

# a file that is none

$b->get('/desk/tickets/new')->submit({ subject => 'کمک', body => 'متن',
    file => [[ 'x.png', 'not a picture', 'image/png' ]] });
is($b->status, 422, 'a file that is not what it says');
like($b->error('file'), qr/«x\.png»/, 'says which');

# many that are too many, of which two are none

$b->get('/desk/tickets/new')->submit({ subject => 'کمک', body => 'متن',
    file => [ map { [ 'x.png', $_ < 2 ? 'not a picture'
                                      : Portal::Browser::tiny_png($_),
                      'image/png' ] } 0 .. 8 ] });
is($b->status, 422, 'nine files');
is_deeply([ map { $_->at('a')->text } $b->dom->find('#error-summary li')->each ],
          [ msg('file_type', name => 'x.png'),
            msg('file_too_many', max_files => 5) ], 'each fault is told once');

# one with a file, sent twice

my $body = "فرم باز نمی‌شود\n<script>alert(1)</script> & {{csrf}}";
$b->get('/desk/tickets/new');
my $key = $b->dom->at('[name="submission_key"]')->val;
my $csrf = $b->csrf;
$b->submit({ subject => 'كمك علي', body => $body,
             file => [[ 'عکس.png', Portal::Browser::tiny_png('t'),
                        'image/png' ]] });
my ($number) = ($b->path // '') =~ m{^/desk/tickets/(\d+)\?flash=ticket_sent$};
ok($number, 'sent') or diag $b->text;
my $first = $b->path;
$b->post('/desk/tickets', { subject => 'كمك علي', body => $body,
                            submission_key => $key, csrf => $csrf });
is($b->path, $first, 'the same again is the same ticket');
is($p->value('SELECT count(*) FROM tickets'), 1, 'there is one');

$b->get($first);
like($b->flash, qr/\Q@{[ msg('flash_ticket_sent') ]}/, 'the page says so');
like($b->text, qr/کمک علی/, 'letters are folded');
like($b->tx->res->text, qr/&lt;script&gt;alert\(1\)&lt;\/script&gt; &amp;/,
     'text is text');
like($b->tx->res->text, qr/\{\{csrf\}\}/, 'and no template');
my $file = $b->dom->at('a[href*="/desk/files/"]');
ok($file, 'with its file') && is($b->get($file->attr('href'))->status, 200,
                                 'which opens');

# another person's

my $other = $p->browser;
$other->signup;
is($other->get("/desk/tickets/$number")->status, 404, 'another\'s ticket');
is($other->get($file->attr('href'))->status, 404, 'another\'s file') if $file;
$other->get('/desk/tickets/new');
$other->post("/desk/tickets/$number/messages", { body => 'x',
    submission_key => 'a' x 32 });
is($other->status, 404, 'nor can it be answered');
is($other->get("/desk/tickets/$_")->status, 404, "no ticket $_")
    for qw(0 -1 x 99999999999999999999 1%2e0);
is($p->browser->get("/desk/tickets/$number")->path,
   "/login?next=%2Fdesk%2Ftickets%2F$number", 'nobody has to log in');

# more to say

$b->get("/desk/tickets/$number")->submit({ body => '' });
is($b->error('body'), 'خطا: ' . msg('body_required'), 'nothing said');
like($b->text, qr/کمک علی/, 'the ticket is still there');
$b->submit({ body => 'پیام دوم' });
is($b->path, "/desk/tickets/$number?flash=ticket_message_sent", 'said');
like($b->follow->flash, qr/\Q@{[ msg('flash_ticket_message_sent') ]}/,
     'the page says so');

# an answer that is on its way while the page, with an earlier one, is read

my $db = $p->db;
my $mark = 'پاسخی در همین دم';

$db->do('UPDATE tickets SET new_answers = 1 WHERE number = ?', undef, $number);
$db->begin_work;
$db->do(q{WITH of AS (UPDATE tickets SET new_answers = new_answers + 1
                       WHERE number = ? RETURNING id)
          INSERT INTO ticket_messages (ticket_id, actor, body)
          SELECT id, 'staff', ? FROM of}, undef, $number, $mark);

my $reader = open my $tells, '-|' // die "fork: $!\n";

if ($reader == 0) {
    print $b->get("/desk/tickets/$number")->text =~ /\Q$mark/ ? 1 : 0;
    close STDOUT;
    POSIX::_exit(0);
}

wait_until(10, sub { $db->selectrow_array(
    'SELECT count(*) FROM pg_locks WHERE NOT granted') });
$db->commit;
ok(readline($tells)
   || $p->value('SELECT new_answers FROM tickets WHERE number = ?', $number),
   'is shown, or stays a new one');
$db->do('DELETE FROM ticket_messages WHERE body = ?', undef, $mark);

my $json = $b->json("/desk/tickets/$number");
is(scalar @{ $json->{posts} }, 2, 'two messages');
is($json->{posts}[0]{body}, $body, 'as JSON as it was');
is($json->{ticket}{subject}, 'کمک علی', 'and the subject');

# the clerk's side

{
    my $clerk = $p->browser;

    $clerk->clerk_login('clerk');
    is($clerk->get("/clerk/tickets/$number")->status, 200, 'the clerk\'s page');
    like($clerk->text, qr/پیام دوم/, 'the clerk sees it');
    my $seen = $p->last_message($person->{mobile});
    $clerk->submit({ body => 'پاسخ دبیرخانه' });
    is($clerk->status, 303, 'and answers');
    ok($p->message($person->{mobile}, qr/$number/, $seen), 'an SMS tells')
        or diag explain [ $p->messages($person->{mobile}) ];
    like($b->get('/desk/tickets')->text, qr/پاسخ داده شد/, 'the list shows it');
    like($b->get("/desk/tickets/$number")->text, qr/پاسخ دبیرخانه/,
         'the citizen reads it');
    unlike($b->text, qr/clerk/, 'without the clerk\'s name');
}

# a day's limits: of the messages of a ticket, and of tickets

my $status = 303;
my $said = $p->value(q{SELECT count(*) FROM ticket_messages
                       WHERE actor = 'person'});

for (1 .. 25) {
    $status = $b->get("/desk/tickets/$number")
              ->submit({ body => "پیام $_" })->status;
    last if $status != 303;
    $said++;
}
is($status, 429, 'so many messages a day');
is($said, 20, 'twenty');
is($p->value(q{SELECT count(*) FROM ticket_messages WHERE actor = 'person'}),
   20, 'no more are there');
ok($b->header('Retry-After') > 60, 'and when again');
$p->db->do(q{INSERT INTO settings (name, value)
             VALUES ('ticket_messages_day', '21')});
is($b->get("/desk/tickets/$number")->submit({ body => 'پیام' })->status, 303,
   'as the settings say');
$p->db->do(q{UPDATE ticket_messages SET at = at - interval '1 day'});
is($b->get("/desk/tickets/$number")->submit({ body => 'پیام' })->status, 303,
   'and a day later');

$status = 303;
for (1 .. 12) {
    $b->get('/desk/tickets/new')->submit({ subject => "تیکت $_",
                                           body => 'متن' });
    $status = $b->status;
    last if $status != 303;
}
is($status, 429, 'ten a day');
ok($b->header('Retry-After') > 60, 'and when again');
like($b->text, qr/صبر کنید/, 'in words');
is($p->value('SELECT count(*) FROM tickets'), 10, 'ten there are');

$p->done;
