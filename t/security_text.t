#!/usr/bin/perl

# What people type is text wherever it is shown.
#
# Each field of each form gets a text of its own, "q7b…e7q" with elements,
# handlers, mustaches, quotes and direction overrides in between.  Then every
# page is read by a parser: there is no script but ours, no handler, and what
# stands between the marks of 7 is what was typed into 7, whole.  Each text
# must have been met somewhere, so that none is looked for in vain.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Mojo::JSON qw(decode_json);
use Mojo::Util qw(decode url_escape url_unescape);
use Portal;
use Staff;

my $bad = q{<script>alert(1)</script>"><img src=x onerror=1>{{csrf}}'";--}
          . "\x{202e}\x{2066}";
my $worse = $bad . '</textarea></option></title>{{{csrf}}}&lt;i&gt;'
            . "\r\nSet-Cookie: evil=1\r\n\r\n<svg/onload=alert(2)>"
            . '<a href="javascript:alert(3)">';
my $agent = '<script>alert(4)</script>"><img src=x onerror=4>';

# without a company gateway the name is what was written

my $p = Portal->new(without => ['company'], http => "    correspondence_login_rate 1000;\n"
                          . "    correspondence_track_rate 1000;\n");
my (%typed, %raw, %met, $pages, $n);


# A new hostile text, of one line or of several.

sub text {
    my ($what, $from) = @_;
    my $text = sprintf 'q%db%se%dq', ++$n, $from // $bad, $n;

    $raw{$n} = flat($text);
    $typed{$n} = flat($text =~ tr/\x{202a}-\x{202e}\x{2066}-\x{2069}//dr);
    $met{$n} = { what => $what };
    return $text;
}

sub long { text($_[0], $worse) }
sub flat { $_[0] =~ s/\s+/ /gr }
sub key  { join '', map { ('a' .. 'z')[rand 26] } 1 .. 24 }


# The marks in a text that was shown.

sub marks {
    my ($text, $where) = @_;
    my @wrong;

    $text = flat($text);

    while ($text =~ /(?=(q(\d+)b.{0,900}))/gs) {
        my ($rest, $n) = ($1, $2);

        next if !$typed{$n};

        # as it is; in the audit's details, which are JSON; in a link

        my $plain = flat($rest =~ s/\\n/ /gr =~ s/\\"/"/gr);

        if (grep { index($rest, $_) == 0 || index($plain, $_) == 0
                   || index($rest, url_escape(encoded($_))) == 0 }
            $typed{$n}, $raw{$n})
        {
            $met{$n}{$where} = 1;

        } else {
            push @wrong, "$n: $rest";
        }
    }

    return @wrong;
}


# A page, as a browser would understand it.

sub harmless {
    my ($b, $what) = @_;
    my $type = $b->header('Content-Type') // '';
    my (@wrong, @marks);

    $pages++;

    if ($type =~ m{^application/json(?:; charset=utf-8)?$}) {
        push @wrong, 'markup in JSON' if $b->body =~ /[<>]/;
        my @left = decode_json($b->body);

        while (@left) {
            my $value = shift @left;

            if (ref $value eq 'HASH') {
                push @left, %$value;
            } elsif (ref $value eq 'ARRAY') {
                push @left, @$value;
            } elsif (defined $value && !ref $value) {
                push @marks, marks($value, 'json');
            }
        }

    } elsif ($type =~ m{^text/html; charset=utf-8}) {
        my $dom = $b->dom;

        for my $e ($dom->find('*')->each) {
            my $tag = $e->tag;

            push @wrong, "<$tag>"
                if $tag =~ /^(?:base|embed|object|applet|frame|marquee)$/
                   || $tag eq 'script' && (($e->attr('src') // '')
                                           !~ m{^/(?:clerk/)?assets/[\w.-]+$}
                                           || $e->text =~ /\S/);

            for my $name (sort keys %{ $e->attr }) {
                my $value = $e->attr($name) // '';

                push @wrong, "<$tag $name>"
                    if $name =~ /^(?:on|style$|srcdoc$)|[^\w:-]/i
                       || $value =~ /^\s*(?:javascript|data|vbscript):/i;
                push @marks, marks($value, 'html');
            }
        }

        push @wrong, 'a foreign picture'
            if $dom->find('img:not([src^="/"])')->size;
        push @marks, marks($dom->all_text, 'html');

    } elsif ($b->status !~ /^30[1-8]$/) {
        push @wrong, "an answer of type \"$type\"";
    }

    push @wrong, 'a header of theirs'
        if grep { /evil/i } $b->tx->res->headers->to_string;
    push @wrong, 'status ' . $b->status if $b->status >= 500;

    is(join("\n", @wrong, @marks), '', $what);
    return $b;
}


# One who has texts wherever a citizen has any; a name from the registry
# that is no better.

my $b = $p->browser(headers => { 'User-Agent' => $agent });
my $who = $b->signup;

$b->set_password;
$p->db->do(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
             first_name = ?, last_name = ?, father_name = ?
             WHERE national_code = ?}, undef,
           (map { text("persons.$_") =~ tr/\x{202e}\x{2066}//dr }
            qw(first_name last_name)), 'علی', $who->{national_code});

$b->get('/desk/profile')->submit({ address => long('profile.address') })
  ->expect(303, 'the profile');

sub file {
    return { filename => $_[0], 'Content-Type' => 'text/html',
             content => Portal::Browser::tiny_png(rand) };
}

# browsers send a quote and a line's end in a name as %22 and %0D%0A

my $file_name = q{q0b"><img src=x onerror=1>'{{csrf}};%0D%0AX: y}
                . "\x{202e}gnp" . '<script>alert(5)</script>.PNG';

$b->get('/desk/letters/new');
my %letter = (person_kind => 'legal', company_name => text('company_name'),
              position => text('position'), company_national_id => legal_id(),
              registration_number => '12345', company_phone => phone(),
              company_postal_code => postal_code(), address => long('letter.address'),
              subject => text('letter.subject'), body => long('letter.body'),
              submission_key => key());
$b->submit({ %letter })->expect(422, 'a letter without a file');
harmless($b, 'the letter again');
is($b->post('/desk/letters/check', { %letter,
       file => file("a.png\r\nX-Evil: 1\r\n\r\n") })->status, 400,
   'a name with a line\'s end in it');
$b->get('/desk/letters/new');
$b->post('/desk/letters/check', { %letter, file => file($file_name) })
  ->expect(303, 'a draft')->follow;
harmless($b, 'the letter to be checked');
harmless($b->get('/desk/letters/drafts/' . $p->value('SELECT id FROM drafts')),
         'the draft');
$b->post('/desk/letters', { %letter, submission_key => key(),
                            file => file($file_name) })
  ->expect(303, 'a letter');

my ($code) = $b->path =~ /sent=(\d+)/;
$b->follow;

$b->get('/desk/tickets/new')->submit({ subject => text('ticket.subject'),
                                       body => long('ticket.body') })
  ->expect(303, 'a ticket')->follow;
my $ticket = $p->value('SELECT number FROM tickets');
$b->post("/desk/tickets/$ticket/messages",
         { submission_key => key(), body => long('ticket message'),
           file => file($file_name) })->expect(303, 'its message');


# The staff's.

$p->{staff} = Staff::make_all($p->instance,
    [ clerk => 'مریم دیگر', 'secretariat', 'second' ],
    [ expert => 'نیما حقوقی', 'legal', 'lawyer' ]);
$p->secret($_->{password}) for @{ $p->{staff} };
$p->db->do('UPDATE staff SET name = ? WHERE username = ?', undef,
           text('staff.name of ' . $_) =~ tr/\x{202e}\x{2066}//dr, $_)
    for qw(clerk lawyer second);

my %by = map { $_ => $p->browser(headers => { 'User-Agent' => $agent })
                       ->clerk_login($_) } qw(clerk lawyer admin second);
my %unit = map { $_->{code} => $_->{id} } $p->sql('SELECT code, id FROM units');

sub act {
    my ($name, $path, %fields) = @_;

    $by{$name}->post("/clerk$path", { submission_key => key(),
        version => $p->value('SELECT version FROM letters'), %fields })
        ->expect(303, $path);
}

act(admin => '/units', name => text('unit.name'), code => 'hostile',
    active => 1, due_days => 3);
act(admin => '/books', name => text('book.name'), code => 'hostile',
    active => 1);
act(admin => '/calendar', day => '1405/12/20', day_kind => 'holiday',
    title => text('calendar.title'));
act(admin => '/canned', title => text('canned.title'), active => 1,
    unit => '', body => text('canned.body', $worse =~ s/\{+csrf\}+//gr));
act(admin => '/staff', name => text('staff.name'),
    username => 'hostile', role => 'clerk', unit => '');
act(admin => '/staff/' . $p->value("SELECT id FROM staff
    WHERE username = 'second'") . '/disable');

my $path = "/letters/$code";
act(clerk => "$path/take");
act(clerk => "$path/register", book => 'hostile');
act(clerk => "$path/note", note_body => long('note'));
act(clerk => "$path/refer", unit => $unit{legal},
    instruction => long('instruction'));
my $referral = $p->value('SELECT max(id) FROM referrals');
$by{lawyer}->get("/clerk/referrals/$referral");
act(lawyer => "/referrals/$referral/return", return_body => long('return'));
act(clerk => "$path/refer", unit => $unit{legal}, instruction => long('2'));
act(clerk => '/referrals/' . $p->value('SELECT max(id) FROM referrals')
             . '/recall', recall_body => long('recall'));
act(clerk => "$path/refer", unit => $unit{legal}, instruction => long('3'));
$referral = $p->value('SELECT max(id) FROM referrals');
act(lawyer => "/referrals/$referral/answer", body => long('answer'),
    file => file($file_name));
act(clerk => "$path/ask-correction",
    correction_body => long('correction'), file_id => $p->value(
        q{SELECT id FROM files WHERE purpose = 'letter' AND letter_id
          IS NOT NULL}));
act(clerk => "$path/reply", body => long('interim'), final => 0,
    file => file($file_name));
act(clerk => "$path/reply", body => long('reply'), final => 1);
$b->post("/desk/letters/$code/followups",
         { submission_key => key(), body => long('follow-up'),
           file => file($file_name) })->expect(303, 'a follow-up');
act(clerk => "/tickets/$ticket/messages", body => long('ticket reply'));


# No control or direction character is stored, however it was sent.

for my $row ($p->sql('SELECT name FROM files')) {
    unlike($row->{name}, qr{[\x00-\x1f\x7f<>"/\\\x{202a}-\x{202e}]},
           "a file is named $row->{name}");
}


# Every page, as page and as data.  q0 is the file's name, cut where a path
# or a sign that no disk takes would begin.

my @citizens = ('/desk', '/desk/letters', "/desk/letters/$code",
                "/desk/letters/$code/receipt", '/desk/profile',
                '/desk/profile/mobile', '/desk/identity', '/desk/password',
                '/desk/sessions', '/desk/tickets', "/desk/tickets/$ticket",
                '/desk/tickets/new', '/desk/letters/new', '/', '/login',
                '/signup', '/recover', '/track');
my $staff = $p->value("SELECT id FROM staff WHERE username = 'hostile'");
my @clerks = map { "/clerk$_" } '/', $path, "$path/changed?version=1",
    "/referrals/$referral", '/tickets', "/tickets/$ticket", '/messages',
    '/canned', '/canned?edit=' . $p->value('SELECT max(id) FROM canned'),
    '/statistics', '/units', "/units?edit=$unit{legal}",
    '/units?edit=' . $p->value(q{SELECT id FROM units WHERE code = 'hostile'}),
    '/books', '/books?edit=' . $p->value(
        q{SELECT id FROM books WHERE code = 'hostile'}), '/calendar',
    '/staff', "/staff?edit=$staff", "/staff/$staff/disable",
    "/staff/$staff/handover", '/audit', map { "/?tab=$_" }
    qw(new mine unit referred answered all);

sub read_all {
    for my $address (@citizens) {
        harmless($b->get($address), $address);
        $b->json($address);
        harmless($b, "$address as data");
    }

    for my $name (qw(admin clerk lawyer)) {
        for my $address ($name eq 'lawyer' ? @clerks[0 .. 3] : @clerks) {
            harmless($by{$name}->get($address), "$name: $address");
            $by{$name}->json($address);
            harmless($by{$name}, "$name: $address as data");
        }
    }
}

read_all();
is($met{1}{html} && $met{1}{json}, 1, 'the first one was met in both');

for my $n (1 .. $n) {
    ok($met{$n}{html}, "$met{$n}{what} is shown somewhere");
}

is($b->get('/desk/sessions')->dom->at('ul.tasks h2')->attr('title'), $agent,
   'a browser\'s name is text');


# Search, in the form's body.

for my $q ($bad, $worse, $code, "%' OR 1=1 --", "\\", '%', '_' x 60) {
    my $s = flat(text('a search', $q));
    harmless($by{clerk}->post('/clerk/search', { q => $s })->follow,
             'a search');
}

harmless($by{clerk}->post('/clerk/search', { q => 'script alert' })->follow,
         'a search that finds');


# Each parameter of each page.

my @parameters = qw(flash next page s tab status unit from to q edit draft
                    sent company state actor who action object_id ended gone
                    export csv at_form insert back form.subject.value csrf
                    {{csrf}} version);

for my $case ((map { [ $b, $_ ] } @citizens),
              (map { [ $by{admin}, $_ ] } @clerks))
{
    my ($browser, $address) = @$case;
    my $query = join '&', map {
        url_escape(encoded($_)) . '=' . url_escape(encoded(text('?')))
    } grep { !/^(?:export|csv)$/ } @parameters;

    harmless($browser->get($address . ($address =~ /\?/ ? '&' : '?') . $query),
             "$address?…");
    unlike($browser->body, qr/q\d+b<|onerror=1>/, "$address?…: nothing raw");
}

for my $name (@parameters) {
    my $value = url_escape("\"><script>\r\nSet-Cookie: evil=1");

    for my $address ('/login', '/desk/letters', '/track', '/signup') {
        harmless($b->get("$address?$name=$value"), "$address?$name=…");
    }

    next if $name =~ /^(?:export|csv)$/;

    for my $address (qw(/clerk/ /clerk/audit /clerk/statistics
                        /clerk/messages /clerk/tickets /clerk/login))
    {
        harmless($by{admin}->get("$address?$name=$value"),
                 "$address?$name=…");
    }
}


# Every form that any of these pages has, each field with a text of its own:
# an answer in words, which shows it as text.

my %done;

for my $case ((map { [ $b, $_ ] } @citizens),
              (map { [ $by{admin}, $_ ] } @clerks),
              (map { [ $p->browser, $_ ] } '/signup', '/login', '/recover',
                       '/login/code', '/track', '/clerk/login'))
{
    my ($browser, $address) = @$case;

    for my $form ($browser->get($address)->dom->find('form')->each) {
        my $action = $form->attr('action') // $address;

        next if lc($form->attr('method') // '') ne 'post'
                || $action =~ /logout|sessions/ || $done{$action}++;

        my %fields = map { $_->attr('name') => $_ }
            $form->find('[name]')->each;
        my %post;

        for my $name (keys %fields) {
            $post{$name} = $name eq 'csrf' ? $fields{csrf}->val
                : ($fields{$name}->attr('type') // '') eq 'file'
                ? file($file_name) : text("$action $name",
                    $fields{$name}->tag eq 'textarea' ? $worse : $bad);
        }

        harmless($browser->post($action, \%post), "all of $action");
        like($browser->status, qr/^(?:200|303|4\d\d)$/,
             "$action: has an answer");

        # not UTF-8, control characters: refused or taken away, never a 500

        for my $bytes ("a\0b", "\xff\xfe", "\xed\xa0\x80", "\e[31m",
                       "\xf4\x90\x80\x80", "\xc0\xbc")
        {
            my $body = join '&', map {
                "$_=" . ($_ eq 'csrf' ? $post{csrf} : url_escape($bytes))
            } grep { !ref $post{$_} } sort keys %post;

            $browser->request(POST => $action, { 'Content-Type' =>
                'application/x-www-form-urlencoded' }, $body);
            like($browser->status, qr/^(?:200|303|4\d\d)$/, "$action: bytes");
            ok(utf8::decode(my $copy = $browser->body),
               "$action: the answer is UTF-8");
        }
    }
}

cmp_ok(scalar keys %done, '>=', 25, 'many forms') or diag explain \%done;
$met{$_}{what} = '' for keys %met;
read_all();


# CSV: what a program of tables would take for a formula.

my $at = 'q991b=HYPERLINK("http://evil.example";"x")';

$p->db->do(q{UPDATE persons SET first_name = ?}, undef, $at);
$p->db->do(q{UPDATE units SET name = ? WHERE code = 'hostile'}, undef,
           '=1+1,"' . "'");
$p->db->do(q{UPDATE staff SET name = ? WHERE username = 'clerk'}, undef,
           '@SUM(1;2)"');
$p->db->do(q{UPDATE staff SET name = ? WHERE username = 'admin'}, undef,
           '-2+3|cmd');

for my $address ('/clerk/audit?export=csv',
                 map { "/clerk/statistics?csv=$_" } qw(totals days ages units))
{
    $by{admin}->get($address)->expect(200, $address);
    like($by{admin}->header('Content-Type'), qr{^text/csv; charset=utf-8},
         "$address: its type");
    like($by{admin}->header('Content-Disposition'), qr/^attachment;/,
         "$address: is saved");

    my $text = decode('UTF-8', $by{admin}->body) =~ s/^\x{feff}//r;
    my ($cells, $formulas) = (0, 0);

    while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gc) {
        my $cell = $1 // $2;

        $cells++;
        $formulas++ if $cell =~ /^[=+\@\t\r]/
                       || $cell =~ /^-/ && $cell !~ /^-?[\d.]+$/;
    }

    is(pos($text) // 0, length $text, "$address: read to its end");
    cmp_ok($cells, '>', 1, "$address: $cells cells");
    is($formulas, 0, "$address: none of them a formula");
}

like(decode('UTF-8', $by{admin}->get('/clerk/audit?export=csv')->body),
     qr/SUM\(1/, 'the audit names who did it');
$by{admin}->get('/clerk/audit?export=jsonl')->expect(200, 'JSON lines');
ok(!(grep { !eval { decode_json($_) } } split /\n/, $by{admin}->body),
   'JSON: each line is whole');


# Files: the name in the header is one, and harmless.

for my $row ($p->sql('SELECT id, name FROM files')) {
    my $of = $by{clerk}->get("/clerk/files/$row->{id}");

    next if $of->status == 404;          # of nothing that was sent

    is($of->status, 200, 'a file');
    is($of->header('Content-Type'), 'image/png', 'is what it is');
    is($of->header('X-Content-Type-Options'), 'nosniff', 'and no other');
    like($of->header('Content-Security-Policy'),
         qr/^default-src 'none'(?!.*script-src).*sandbox/, 'nothing runs');

    my @said = @{ $of->tx->res->headers->every_header(
        'Content-Disposition') };

    is(scalar @said, 1, 'one header');
    like($said[0], qr/^inline;[ ]filename="file[.\w]*";[ ]
                      filename\*=UTF-8''[\w.~%-]+$/x, 'of one line');
    my ($name) = $said[0] =~ /''(.*)/;
    is(decode('UTF-8', url_unescape($name)), $row->{name}, 'the name');
}


# SMS: nothing that people typed; above all no second last line.

for my $m ($p->messages) {
    unlike($m->{text}, qr/q\d+b|script|Set-Cookie|[\x{202a}-\x{202e}]/,
           'an SMS of our words only');
    cmp_ok(scalar(() = $m->{text} =~ /^@\S+ #/mg), '<=', 1, 'one code');
}

# Logs: one event is one line, of nothing that moves a terminal.

unlike($p->log('error'), qr/^\s*Set-Cookie|[\x00-\x08\x0b-\x1f\x7f]/m,
       'the log has no line of theirs');

diag("$n texts in $pages pages, ", scalar(keys %done), ' forms');
$p->done;


sub encoded {
    my ($text) = @_;

    utf8::encode($text);
    return $text;
}
