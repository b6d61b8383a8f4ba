#!/usr/bin/perl

# Doors that must be shut, tried one by one: forms of others, headers and
# redirects made of parameters, addresses written in other ways, all that is
# too long, parameters twice, files that are two things, throttles walked
# round, codes used twice; and afterwards no secret in any log, though nginx
# wrote down all it knows how to (error_log … debug).

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Mojo::Util qw(url_escape);
use Portal;
use Portal::Texts;
use Staff;

my $p = Portal->new(level => 'debug', workers => 2,
    http => "    correspondence_login_rate 1000;\n"
          . "    correspondence_codes_per_address_hour 1000;\n");
my $png = Portal::Browser::tiny_png('security');

sub key { join '', map { ('a' .. 'z')[rand 26] } 1 .. 24 }

sub citizen {
    my $b = $p->browser;
    my $who = $b->signup;

    $p->db->do(q{UPDATE persons SET mobile_step = 'yes',
                 registry_step = 'yes', first_name = 'زهرا',
                 last_name = 'کریمی', father_name = 'علی'
                 WHERE national_code = ?}, undef, $who->{national_code});
    return ($b, $who);
}

my ($b, $who) = citizen();
my $password = $b->set_password;
my ($other) = citizen();
my $code = $b->send_letter(subject => 'یک نامه',
                           files => [ [ 'a.png', $png, 'image/png' ] ]);
my $admin = $p->browser->clerk_login('admin');
my $clerk = $p->browser->clerk_login('clerk');
my $nobody = $p->browser;
my $half = $p->browser;

$half->get('/clerk/login')->submit({ username => 'manager',
    password => $p->staff('manager')->{password} })->expect(303, 'half');


# What the database and the store hold.

my @tables = map { $_->{tablename} } $p->sql(
    q{SELECT tablename FROM pg_tables WHERE schemaname = 'correspondence'
      AND tablename NOT IN ('audit', 'audit_pending', 'audit_chain',
                            'audit_checks', 'message_attempts', 'messages')
      ORDER BY 1});

sub state {
    return { (map { $_ => $p->value("SELECT md5(coalesce(string_agg(t::text,
                  E'\\n' ORDER BY t::text), '')) FROM $_ AS t") } @tables),
             messages => $p->value('SELECT count(*) FROM messages'),
             store => scalar(() = glob "$p->{dir}/store/*/*/*") };
}

# Every form, as another site would send it.

my @posts;
my $source = Instance::slurp("$FindBin::RealBin/../src/routes.c");

while ($source =~ /corr_(citizen|clerk)_routes\[\] = \{(.*?)^\};/msg) {
    my ($kind, $text) = ($1, $2);

    push @posts, [ $kind, $1, $2 ]
        while $text =~ /corr_post\(\s*"([^"]+)",\s*(CORR_[\w|]+)/g;
}

is(scalar @posts, scalar(() = $source =~ /^\s+corr_post\(/mg),
   'every form of the table');

# A token whose first 31 bytes are right.

sub other_end {
    my ($token) = @_;

    return substr($token, 0, -2)
           . sprintf '%02x', hex(substr $token, -2) ^ 1;
}

my %csrf = map { my ($name, $from, $path) = @$_;
                 $name => $from->get($path)->find_csrf }
    [ own => $b, '/desk/profile' ], [ other => $other, '/desk/profile' ],
    [ nobody => $nobody, '/login' ], [ admin => $admin, '/clerk/canned' ],
    [ clerk => $clerk, '/clerk/canned' ],
    [ half => $half, '/clerk/login/totp' ];
my $before = state();
my $file = [[ 'a.png', $png, 'image/png' ]];

for my $post (@posts) {
    my ($kind, $path, $who_may) = @$post;
    my $address = ($kind eq 'clerk' ? '/clerk' : '')
                  . $path =~ s/\{code\}/$code/r =~ s/\{\w+\}/1/r;
    my ($browser, $own, $foreign) = $kind eq 'citizen'
        ? ($b, 'own', 'other') : $who_may =~ /HALF/
        ? ($half, 'half', 'admin') : ($admin, 'admin', 'clerk');
    my %fields = (submission_key => key(), body => 'x', subject => 'x',
                  note_body => 'x', name => 'x', title => 'x', code => 'x');
    my @close = (Connection => 'close');

    my @tokens = (
        [ none => undef ], [ empty => '' ], [ wrong => 'x' x 64 ],
        [ another => $csrf{$foreign} ], [ 'a visitor\'s' => $csrf{nobody} ],
        [ longer => "$csrf{$own}0" ], [ shorter => substr $csrf{$own}, 0, -1 ],
        [ 'half a' => substr $csrf{$own}, 64 ],
        [ 'with another last byte, a' => other_end($csrf{$own}) ],
        [ 'nothing but its mask as a' => substr($csrf{$own}, 0, 64) x 2 ],
        [ 'another mask before the' => substr($csrf{$foreign}, 0, 64)
                                       . substr $csrf{$own}, 64 ]);

    # a form in parts, with no file in it, is checked at its end as any other

    for my $as ([ 'url-encoded' ],
                [ 'in parts', 'Content-Type' => 'multipart/form-data' ])
    {
        my ($how, @type) = @$as;

        for my $case (@tokens) {
            $browser->post($address, { %fields, csrf => $case->[1] },
                           { @close, @type });
            is($browser->status, 403, "$address: $how, $case->[0] token");
        }

        $browser->post("$address?csrf=$csrf{$own}",
                       { %fields, csrf => undef }, { @close, @type });
        is($browser->status, 403, "$address: $how, the token in the address");

        for my $site (qw(cross-site same-site)) {
            $browser->post($address, { %fields, csrf => $csrf{$own} },
                           { @close, @type, 'Sec-Fetch-Site' => $site });
            is($browser->status, 403, "$address: $how, from a $site page");
        }
    }

    delete $p->{secrets}{ $csrf{$own} };         # which is now in a log

    $browser->request(POST => $address, { @close, 'Content-Type' =>
        'text/plain' }, "csrf=$csrf{$own}&body=x");
    is($browser->status, 415, "$address: a form of plain text");

    if ($who_may =~ /FILES/) {
        $browser->post($address, { %fields, csrf => $csrf{$foreign},
                                   file => $file }, { @close });
        is($browser->status, 403, "$address: a file, another's token");
    }
}

is_deeply(state(), $before, 'nothing was stored');
is($_->[0]->get($_->[1])->status, 200, 'and everyone is still logged in')
    for [ $b, '/desk' ], [ $admin, '/clerk/' ], [ $clerk, '/clerk/' ];


# A token looks another way on each page, lest the length of a compressed one
# tells it (BREACH); the older ones are as good.

my %shown = map { $_ => 1 } $csrf{own},
    map { $b->get('/desk/profile')->find_csrf } 1 .. 20;

is(scalar keys %shown, 21, 'twenty-one pages, twenty-one tokens');
ok(!grep({ !/^[0-9a-f]{128}$/ } keys %shown), 'of one form');

for my $part (0, 64) {
    my %parts = map { substr($_, $part, 64) => 1 } keys %shown;
    is(scalar keys %parts, 21, "no two share the part at $part");
}

for my $token ($csrf{own}, (sort keys %shown)[3, 9]) {
    is($b->post('/desk/profile', { csrf => $token, address => '', phone => '',
                                   email => '' })->status, 303, 'each is good');
}


# The form's token does not serve for another browser's cookie, nor does one
# cookie of nobody's for another.

my $visitor = $p->browser;
$visitor->get('/login');
is($visitor->post('/login', { csrf => $csrf{nobody},
    national_code => $who->{national_code}, password => $password })->status,
   403, 'log-in with a token that was handed to another browser');


# Nothing that comes in goes into a header.

my @evil = ('//evil.example', '/\\evil.example', 'https://evil.example/',
            'javascript:alert(1)', "/\r\nX-Evil: 1", '/%0d%0aX-Evil:1',
            '/%0aX-Evil: 1', "/\x{560a}X-Evil: 1", '/..//evil.example',
            '/%2e%2e//evil.example', "\t//evil.example", '/desk@evil.example',
            '///evil.example', '/%2f/evil.example', '/%252fevil.example');

for my $evil (@evil) {
    my $bytes = $evil;
    utf8::encode($bytes);
    my $value = url_escape($bytes);
    my $shown = $value;

    for my $address (map { my $n = $_; map { "$_$n=$value" }
                           '/login?', '/desk/letters?', '/track?',
                           '/clerk/login?', '/clerk/?' }
                     qw(next flash page s tab back sent to))
    {
        my $browser = $address =~ m{^/clerk/\?} ? $admin : $b;
        $browser->get($address);

        my $head = $browser->tx->res->headers->to_string;
        my $to = $browser->path // '';

        fail("$address: $head") if $head =~ /x-evil/i
                                   || $browser->status >= 500
                                   || $to =~ m{^[^/]|^/[/\\]|^[^?]*evil};
    }

    my $n = $p->browser;
    $n->get('/login');
    $n->post('/login', { national_code => $who->{national_code},
                         password => $password, next => $evil });
    is($n->status, 303, "next=$shown: logged in");
    like($n->header('Location'), qr{^(?:http://localhost:\d+)?/(?![/\\])},
         "next=$shown: stays here");
    ok(!$n->header('X-Evil'), "next=$shown: no header");

    my $url = Mojo::URL->new($n->header('Location'))
              ->to_abs(Mojo::URL->new($p->base . '/login'));
    is($url->host_port, 'localhost:' . $p->port, "next=$shown: this host");
}

for my $path ("/desk/letters/$code%0d%0aX-Evil:1", '/desk/%0d%0aX-Evil:%201',
              "/desk/letters/%0aX-Evil:1/receipt", '/%0d%0aX-Evil:1',
              "/verify/$code/%0d%0aX-Evil:1", '/captcha/%0d%0aX.png',
              '/desk/files/%0d%0aX-Evil:1', '/clerk/%0d%0aX-Evil:1')
{
    for my $browser ($nobody, $b) {
        $browser->get($path);
        like($browser->status, qr/^(?:303|40[04])$/, "$path");
        ok(!$browser->header('X-Evil'), "$path: no header");
    }
}


# A raw request, for what no client writes.

sub raw {
    my ($request) = @_;
    my $s = $p->socket;
    my $answer = '';

    local $SIG{ALRM} = sub { die "no answer\n" };
    $s->timeout(5);
    print $s $request;
    $s->shutdown(1);
    while (sysread $s, my $piece, 65536) { $answer .= $piece }
    return $answer;
}

sub raw_status { (raw(@_) =~ m{^HTTP/1\.\d (\d+)})[0] // 0 }

my $session = $b->cookie('correspondence');
my $host = "Host: localhost\r\nConnection: close\r\n";
my $cookie = "Cookie: correspondence=$session\r\n";

# The desk under other names: either the very same page, and for nobody the
# log-in, or nothing.

for my $path ('//desk', '/./desk', '/desk/', '/desk/.', '/x/../desk',
              '/%64esk', '/desk%2f', '/%2fdesk', '/%2e%2e/desk', '/desk%00',
              '/desk;x', '/desk/%2e', '/DESK', '/desk%20', '/desk\\', '/desk//letters',
              '/clerk/../desk', '/clerk/%2e%2e/desk', '/clerk%2f..%2fdesk',
              '/track/../desk/letters', '/..%2f..%2fetc/passwd',
              '/assets/../../keys/portal.key', '/assets/%2e%2e/%2e%2e/keys',
              '/assets/..%2fmessages.txt', '/.git/config', '/clerk//',
              '/clerk/./', '/clerk', '/clerk%2f', '//clerk/', '/%63lerk/',
              '/clerk/..%2fclerk/staff', '/desk/..%2f../clerk/staff')
{
    my $answer = raw("GET $path HTTP/1.1\r\n$host\r\n");
    my ($status) = $answer =~ m{^HTTP/1\.1 (\d+)};
    my ($to) = $answer =~ m{^Location: (?:http://[^/]+)?(\S*)}mi;

    like($status, qr/^(?:30[1-8]|40[045])$/, "nobody: $path");
    like($to, qr{^/(?:clerk/$|(?:clerk/)?login)}, "$path leads to the log-in")
        if $status =~ /^3/;
    unlike($answer, qr/root:x:|messages_|زهرا/, "$path: shows nothing");

    $answer = raw("GET $path HTTP/1.1\r\n$host$cookie\r\n");
    unlike($answer, qr{^HTTP/1\.1 5}, "with a session: $path");
    unlike($answer, qr/root:x:|امیر راهبر/, "$path: nothing of clerks");
}

# Parts of an address that are no code.

for my $part ("$code/", "$code%00", "$code%20", "$code.", "0$code",
              "$code%2f..", "-$code", '+', '%27', '1%20OR%201=1', '9' x 400,
              'x' x 3000, '%ff', '%e2%80%ae')
{
    $b->get("/desk/letters/$part");
    like($b->status, qr/^(?:404|414|400|200)$/, "letter " . substr $part, 0, 20);
    is($b->status, 404, 'none but the code itself')
        if $part !~ /^(?:$code|0)/;
}

# Bytes that are no text, as a parameter and as a browser's name.

for my $bytes ('%ff', '%ed%a0%80', '%c0%bc', '%00', '%1b%5b31m') {
    for my $case ((map { [ $b, $_ ] } '/desk/letters?s=', '/login?next=',
                       '/desk/letters?sent=', '/desk/letters/new?draft=',
                       '/track?flash=', '/desk/letters/drafts/',
                       '/desk/tickets/', '/desk/files/', '/verify/1/'),
                  (map { [ $admin, "/clerk$_" ] } '/?tab=', '/?s=', '/?page=',
                       '/?status=', '/?from=', '/audit?who=', '/audit?from=',
                       '/audit?action=', '/audit?object_id=',
                       '/statistics?from=', '/statistics?csv=',
                       '/messages?state=', '/tickets?status=', '/letters/',
                       '/staff?edit=', '/invitations/', '/referrals/'))
    {
        $case->[0]->get($case->[1] . $bytes);
        like($case->[0]->status, qr/^(?:200|303|40[04]|410|422)$/,
             "$case->[1]$bytes");
    }
}

my $strange = $p->browser(headers => { 'User-Agent' => "\xff<b>\e[31m\xed" });
$strange->login($who->{national_code}, $password);

for my $page ($strange, $b) {
    $page->get('/desk/sessions')->expect(200, 'the list of sessions');
    ok(utf8::decode(my $copy = $page->body), 'the list is UTF-8');
    ok(eval { $page->json('/desk/sessions')->{sessions} }, 'as data, too');
}


# Over-long: the address, headers, cookies, fields, names, many of them.

for my $case (
    [ 'an address', "GET /login?x=" . 'x' x 40000
                    . " HTTP/1.1\r\n$host\r\n", 414 ],
    [ 'a cookie', "GET /login HTTP/1.1\r\n${host}Cookie: correspondence="
                  . 'A' x 40000 . "\r\n\r\n", 400 ],
    [ 'a cookie that fits', "GET /desk HTTP/1.1\r\n${host}Cookie: "
                  . 'correspondence=' . 'A' x 7000 . "\r\n\r\n", 303 ],
    [ 'a thousand cookies', "GET /desk HTTP/1.1\r\n${host}Cookie: "
                  . join('; ', map { "c$_=$_" } 1 .. 700) . "\r\n\r\n", 303 ],
    [ 'forty Cookie headers', "GET /desk HTTP/1.1\r\n$host"
                  . "Cookie: a=b\r\n" x 40 . "\r\n", 303 ],
    [ 'many parameters', 'GET /login?' . join('&', map { "a$_=1" } 1 .. 900)
                         . " HTTP/1.1\r\n$host\r\n", '200|400' ],
    [ 'a long name', 'GET /login?' . 'n' x 5000 . "=1 HTTP/1.1\r\n$host\r\n",
      '200|400' ],
    [ 'a long host', "GET /login HTTP/1.1\r\nHost: " . 'h' x 5000
                     . "\r\nConnection: close\r\n\r\n", '200|400' ],
    [ 'a long agent', "GET /login HTTP/1.1\r\n${host}User-Agent: "
                      . "\xff" x 7000 . "\r\n\r\n", 200 ],
    [ 'a long Accept', "GET /login HTTP/1.1\r\n${host}Accept: "
                       . 'a/b;q=0.1,' x 700 . "\r\n\r\n", 200 ])
{
    my ($what, $request, $status) = @$case;

    like(raw_status($request), qr/^(?:$status)$/, "too long: $what");
}

my $token = $nobody->get('/login')->find_csrf;

for my $case ([ 'a value', 'password=' . 'x' x 100_000, '422|413' ],
              [ 'a name', 'x' x 70 . '=1', '400|422|413' ],
              [ 'fields', join('&', map { "f$_=1" } 1 .. 2000), '400|413' ],
              [ 'all', 'x=' . 'x' x 400_000, '413' ],
              [ 'empty pairs', '&' x 5000, '422|400|413' ],
              [ 'bad escapes', 'password=%zz', '400|422' ])
{
    $nobody->request(POST => '/login', { Connection => 'close',
        'Content-Type' => 'application/x-www-form-urlencoded' },
        "csrf=$token&$case->[1]");
    like($nobody->status, qr/^(?:$case->[2])$/, "too long: $case->[0]");
}


# Twice the same parameter: the first one counts, wherever it stands.

my $again = $p->browser;
$token = $again->get('/login')->find_csrf;
my $form = 'application/x-www-form-urlencoded';

for my $case ([ "csrf=$token&csrf=x", 422 ], [ "csrf=x&csrf=$token", 403 ],
              [ "csrf=$token&csrf%5B%5D=x", 422 ],
              [ "csrf%5B%5D=$token", 403 ], [ "CSRF=$token", 403 ],
              [ " csrf=$token", 403 ], [ "csrf%00=$token", 403 ])
{
    $again->request(POST => '/login', { 'Content-Type' => $form,
        Connection => 'close' }, "$case->[0]&national_code=1");
    like($again->status, $case->[1] == 403 ? qr/^40[03]$/ : qr/^422$/,
         "twice: $case->[0]");
}

$again->request(POST => '/login', { 'Content-Type' => $form },
    "csrf=$token&national_code=$who->{national_code}"
    . "&national_code=1&password=$password&password=x");
is($again->status, 303, 'the first national code and password');
$token = $again->get('/login')->find_csrf;
$again = $p->browser;
$token = $again->get('/login')->find_csrf;
$again->request(POST => '/login?password=x', { 'Content-Type' => $form },
    "csrf=$token&national_code=$who->{national_code}");
is($again->error('password'), 'خطا: ' . msg('password_required'),
   'a parameter of the address is not one of the form');
$p->db->do('DELETE FROM tries');

# unknown fields are worth nothing

sub person {
    my ($row) = $p->sql('SELECT * FROM persons WHERE national_code = ?',
                        $who->{national_code});

    delete @$row{qw(address phone email updated_at)};
    return $row;
}

my $person = person();
$b->get('/desk/profile')->post('/desk/profile', { address => '', phone => '',
    email => '', level => 9, mobile => '09120000000', national_code => '1',
    role => 'admin', status => 'x', person_id => 1, session_epoch => 99 });
is($b->status, 303, 'a profile with more than was asked for');
is_deeply(person(), $person, 'changes nothing else');


# Files that are two things at once.

sub pdf {
    my ($before) = @_;
    my $pdf = "$before%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\n"
              . "endobj\n2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n";
    my $at = length $pdf;

    return $pdf . "xref\n0 1\n0000000000 65535 f \n"
           . "trailer\n<</Size 3/Root 1 0 R>>\nstartxref\n$at\n%%EOF\n";
}

my $html = '<html><script>alert(1)</script></html>';
my $jpeg = "\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
           . "\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0"
           . "\xff\xda\0\x08\1\1\0\0\x3f\0\x55\xff\xd9";
my ($taken, $not) = (0, 0);

sub send_file {
    my ($name, $bytes, $type) = @_;

    $b->get('/desk/letters/new');
    $b->submit({ person_kind => 'natural', address => 'تهران',
                 subject => 'x', body => '',
                 file => [[ $name, $bytes, $type ]] });
    return ($b->path // '') =~ /sent=(\d+)/ ? $1 : undef;
}

for my $case (
    [ 'HTML', 'a.png', $html, 'image/png', 0 ],
    [ 'HTML by its name', 'a.html', $png, 'image/png', 0 ],
    [ 'SVG', 'a.svg', '<svg xmlns="http://www.w3.org/2000/svg" '
                      . 'onload="alert(1)"/>', 'image/svg+xml', 0 ],
    [ 'SVG as PNG', 'a.png', '<?xml version="1.0"?><svg/>', 'image/png', 0 ],
    [ 'HTML behind a PNG', 'a.png', $png . $html, 'image/png', 1 ],
    [ 'HTML in a PNG', 'a.png', Portal::Browser::tiny_png($html),
      'text/html', 1 ],
    [ 'JPEG as PNG', 'a.png', $jpeg, 'image/png', 0 ],
    [ 'PNG as PDF', 'a.pdf', $png, 'application/pdf', 0 ],
    [ 'GIF and script', 'a.gif', "GIF89a/*\1*/=alert(1)", 'image/gif', 0 ],
    [ 'HTML before a PDF', 'a.pdf', pdf("$html\n"), 'application/pdf', 0 ],
    [ 'script before a PDF', 'a.pdf', pdf("var x=1;//\n"),
      'application/pdf', 0 ],
    [ 'HTML far before a PDF', 'a.pdf', pdf($html . ' ' x 900),
      'application/pdf', 0 ],
    [ 'ZIP behind a JPEG', 'a.jpg', $jpeg . "PK\3\4" . "\0" x 30
                                    . "PK\5\6" . "\0" x 18, 'image/jpeg', 1 ],
    [ 'two extensions', 'a.png.php', $png, 'image/png', 0 ],
    [ 'a program', 'a.png', "\x7fELF" . "\0" x 200, 'image/png', 0 ],
    [ 'nothing', 'a.png', '', 'image/png', 0 ])
{
    my ($what, $name, $bytes, $type, $may) = @$case;
    my $sent = send_file($name, $bytes, $type);

    if (!$sent) {
        is($b->status, 422, "$what: refused");
        ok(!$may, "$what: rightly");
        $not++;
        next;
    }

    ok($may, "$what: may be taken");
    $taken++;

    my $row = ($p->sql('SELECT f.id, f.media_type FROM files AS f
        JOIN letters AS l ON l.id = f.letter_id WHERE tracking_code = ?',
        $sent))[0];

    for my $of ([ $b, '/desk' ], [ $clerk, '/clerk' ]) {
        my $got = $of->[0]->get("$of->[1]/files/$row->{id}");

        is($got->status, 200, "$what: is served");
        is($got->header('Content-Type'), $row->{media_type},
           "$what: as $row->{media_type}");
        is($got->header('X-Content-Type-Options'), 'nosniff',
           "$what: and nothing else");
        like($got->header('Content-Security-Policy'),
             qr/^default-src 'none'.*sandbox/, "$what: where nothing runs");
        unlike($got->header('Content-Security-Policy'), qr/script-src|allow-/,
               "$what: at all");
    }
}

ok($taken && $not > 10, "$not refused, $taken served inert");


# Ranges.

my $id = $p->value('SELECT f.id FROM files AS f JOIN letters AS l
                     ON l.id = f.letter_id WHERE tracking_code = ?', $code);
my $size = length $png;

for my $case ([ 'bytes=0-0', 206 ], [ 'bytes=-1', 206 ],
              [ "bytes=$size-", 416 ], [ 'bytes=5-2', '200|416' ],
              [ 'bytes=0-18446744073709551615', '200|206|416' ],
              [ 'bytes=-18446744073709551615', '200|206|416' ],
              [ 'bytes=9223372036854775807-', '200|416' ],
              [ 'bytes=-9223372036854775608,-9223372036854775807',
                '200|206|416' ],
              [ 'bytes=' . join(',', ('0-') x 1300), '200|206|416' ],
              [ 'lines=1-2', '200|416' ], [ 'bytes=', '200|416' ],
              [ "bytes=0-1\0", '200|400|416' ])
{
    $b->get("/desk/files/$id", { Range => $case->[0] });
    like($b->status, qr/^(?:$case->[1])$/, substr "range $case->[0]", 0, 60);
    cmp_ok(length $b->body, '<=', $size + 1000, 'never more than the file')
        if $b->status == 206;
    next if $b->status == 400;           # nginx has refused the header

    is($b->header('X-Content-Type-Options'), 'nosniff', 'nosniff');
    $other->get("/desk/files/$id", { Range => $case->[0] });
    is($other->status, 404, 'a stranger: 404');
}


# A code of an authenticator is good for once.

my $manager = $p->staff('manager');
my $at = time;
my $totp = $p->totp($manager);
my @race = map {
    my $n = $p->browser;
    $n->get('/clerk/login')->submit({ username => 'manager',
        password => $manager->{password} })->expect(303, 'half')->follow;
    $n;
} 1 .. 2;

$race[0]->submit({ code => $totp });
is($race[0]->status, 303, 'the code');
$race[1]->submit({ code => $totp });
is($race[1]->status, 422, 'the same code again');
$race[1]->submit({ code =>
    $p->totp($manager, keep => 1, time => $at - 30) });
is($race[1]->status, 422, 'nor does an older one');
like($_->get('/clerk/')->path, qr{^/clerk/login}, 'half a log-in is none')
    for $race[1], $half;


# The throttle of tracking, by every way there is.

my $last4 = substr $who->{mobile}, -4;
my $wrong = sprintf '%04d', ($last4 + 1) % 10000;
my $tracker = $p->browser;

sub track {
    my ($how, $four) = @_;

    return $tracker->post($how->[0], { tracking_code => $code,
        mobile_last4 => $four }, { Connection => 'close', %{ $how->[1] } })
        ->status;
}

$tracker->get('/track');
for (1 .. 40) {
    last if track([ '/track', {} ], $wrong) == 429;
}
is($tracker->status, 429, 'guessing is stopped');

for my $how ([ '/track', { 'X-Forwarded-For' => '10.1.1.1' } ],
             [ '/track', { 'X-Real-IP' => '10.1.1.2' } ],
             [ '/track', { Forwarded => 'for=10.1.1.3' } ],
             [ '//track', {} ], [ '/./track', {} ], [ '/%74rack', {} ],
             [ '/track?x=1', {} ], [ '/x/../track', {} ],
             [ '/track', { Accept => 'application/json' } ],
             [ '/track', { Host => 'other.example' } ],
             [ '/track', { 'X-HTTP-Method-Override' => 'GET' } ])
{
    is(track($how, $last4), 429, join ' ', $how->[0], %{ $how->[1] });
}

for my $method (qw(GET HEAD PUT PATCH)) {
    $tracker->request($method => "/track?tracking_code=$code"
                                 . "&mobile_last4=$last4", {});
    unlike($tracker->body, qr/ثبت شده/, "$method tells nothing");
}

is($p->browser->get('/track')->post('/track', { tracking_code => $code,
    mobile_last4 => $last4 })->status, 429, 'nor does another browser help');

# In parallel: no more answers than one by one.

my $redis = $p->instance->{sockets} . '/redis.sock';
my @rates = split ' ', `redis-cli -s $redis --scan --pattern 'rate:track*'`;
system('redis-cli', '-s', $redis, 'del', @rates) if @rates;
$p->db->do('DELETE FROM tries');

my $limit = 0;
my @sockets = map {
    my $body = "csrf=" . $tracker->csrf . "&tracking_code=$code"
               . "&mobile_last4=" . sprintf '%04d', ($wrong + $_) % 10000;
    my $cookies = join '; ', map { $_->name . '=' . $_->value }
        @{ $tracker->ua->cookie_jar->all };
    my $s = $p->socket;
    print $s "POST /track HTTP/1.1\r\n${host}Cookie: $cookies\r\n"
             . "Content-Type: $form\r\nContent-Length: " . length($body)
             . "\r\n\r\n$body";
    $s;
} 1 .. 60;
my %answers;

for my $s (@sockets) {
    my $answer = '';
    while (sysread $s, my $piece, 65536) { $answer .= $piece }
    $answers{ ($answer =~ m{^HTTP/1\.1 (\d+)})[0] // 0 }++;
}

cmp_ok($answers{429} // 0, '>=', 40, 'sixty at once: most are refused')
    or diag explain \%answers;
ok(!$answers{500} && !$answers{0}, 'all have an answer')
    or diag explain \%answers;


# Secrets.  nginx wrote down all that it and the module can; its own dump of
# headers has cookies in it by its nature, so those are looked for elsewhere.

my %secret = ('the password' => $password,
              'the national code' => $who->{national_code},
              'the mobile' => $who->{mobile},
              'the mobile, +98' => '98' . substr($who->{mobile}, 1),
              'a new TOTP code\'s secret' => $manager->{totp_secret});

$secret{"password of $_->{username}"} = $_->{password} for @{ $p->{staff} };

for my $path (glob "$p->{dir}/secrets/*") {
    my ($name) = $path =~ m{([^/]+)$};
    chomp($secret{"gateway $name"} = Instance::slurp($path));
}

my $seen = $p->last_message($who->{mobile});
$p->browser->login_code($who->{national_code}, $who->{mobile});
my $sms = $p->message($who->{mobile}, qr/#\d+\s*\z/, $seen);
($secret{'the code by SMS'}) = $sms->{text} =~ /#(\d+)\s*\z/;
$secret{'the key file'} = unpack 'H*',
    Instance::slurp("$p->{dir}/keys/portal.key");

my %cookies = (session => $session, 'a clerk\'s session' =>
               $admin->cookie('correspondence-clerk'),
               'form token' => $csrf{clerk});
my %where = map { ($_ => $p->log($_)) }
            qw(error access nginx postgres redis);
my $plain = join '', map { "$_\n" } grep { !/\[debug\]/ }
            grep { m{^\d{4}/\d\d/\d\d } } split /\n/, $where{error};

like($where{error}, qr/\[debug\]/, 'the log is of level debug');

my %page = map { ("page $_" => $nobody->get($_)->body) }
    '/metrics', '/health', '/nowhere', '/login?%zz', '/login', '/desk/x',
    '/clerk/login', '/clerk/nowhere';

$page{'an error\'s page'} = $b->get('/desk/nowhere')->body;
$page{'a refused form'} = $nobody->post('/login', { csrf => 'x',
    national_code => $who->{national_code}, password => $password })->body;

for my $what (sort keys %secret) {
    my $value = $secret{$what};

    ok(length $value >= 5, "there is $what");

    # six digits alone stand in many a number

    my $like = $value =~ /^\d{4,8}$/ ? qr/(?<![\d.:#-])\Q$value\E(?![\d.:])/
                                     : qr/\Q$value\E/;

    for my $place (sort keys %where) {
        my @lines = grep { /$like/ } split /\n/, $where{$place};

        is(scalar @lines, 0, "$what is not in $place.log")
            or diag(substr($lines[0], 0, 100));
    }

    unlike($page{$_}, $like, "$what is not in $_") for sort keys %page;
}

for my $what (sort keys %cookies) {
    my $value = $cookies{$what};

    is(index($plain, $value), -1, "$what is not in error.log");
    is(index($where{$_}, $value), -1, "$what is not in $_.log")
        for qw(access nginx postgres redis);
    unlike($page{$_}, qr/\Q$value\E/, "$what is not in $_") for sort keys %page;
}

# The configuration as nginx prints it; and no core files.

my $dumped = do {
    local $ENV{LC_ALL} = 'C.UTF-8';
    my $i = $p->instance;
    join '', map { `$_` } join ' ', map { quotemeta }
        $i->as_user, $i->nginx_command('dump', '-T', '-q');
};

like($dumped, qr/correspondence_gateway sms/, 'nginx -T prints it');
unlike($dumped, qr/\Q$secret{$_}\E/, "$_ is not in the configuration")
    for sort keys %secret;
like(Instance::slurp("/proc/$_/limits"), qr/^Max core file size\s+0\s+0\s/m,
     'a worker writes no core') for $p->workers;

my @keys = `redis-cli -s $redis --scan`;
my $dump = join '', @keys, map { chomp; `redis-cli -s $redis get '$_'` } @keys;
unlike($dump, qr/\Q$session\E/, 'nor has Redis the session\'s token');
unlike($dump, qr/\Q$who->{$_}\E/, "nor the $_") for qw(national_code mobile);

$p->done;
