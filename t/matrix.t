#!/usr/bin/perl

# Who may what: every route of src/routes.c, asked by everyone.
#
# The table below is written from PRODUCT.md, not from the code.  A route
# without a line here fails the test, as does a line without a route.  Who is
# refused sends a form that is whole and right, so that nothing but the
# refusal keeps it out, and afterwards the database is what it was; who is
# let in sends an empty one.  Everyone brings the session's token under both
# cookie names: a citizen's is worth nothing to clerks, nor the other way
# round.
#
# Then: nothing internal of the letter stands in any page, data or SMS of a
# citizen.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Mojo::Cookie::Response;
use Mojo::Util qw(decode);
use Portal;
use Portal::Numbers;

# At citizens' addresses, the object being the owner's:
#
#                                      nobody  owner other level1

my $citizen = <<'END';
GET  /                                 200     200   200   200
GET  /signup                           200     200   200   200
POST /signup                           422     422   422   422
GET  /signup/code                      303     303   303   303
POST /signup/code                      303     303   303   303
POST /signup/code/resend               303     303   303   303
GET  /login                            200     200   200   200
POST /login                            422     422   422   422
GET  /login/code                       200     200   200   200
POST /login/code                       422     422   422   422
GET  /login/code/mobile                303     303   303   303
POST /login/code/mobile                303     303   303   303
GET  /login/code/verify                303     303   303   303
POST /login/code/verify                303     303   303   303
POST /login/code/resend                303     303   303   303
GET  /recover                          200     200   200   200
POST /recover                          422     422   422   422
GET  /recover/code                     303     303   303   303
POST /recover/code                     303     303   303   303
POST /recover/code/resend              303     303   303   303
GET  /recover/password                 303     303   303   303
POST /recover/password                 303     303   303   303
POST /logout                           login   303   303   303
GET  /desk/identity                    login   200   200   200
POST /desk/identity/mobile             login   303   303   303
POST /desk/identity/registry           login   303   303   303
GET  /desk/password                    login   200   200   200
POST /desk/password                    login   422   422   422
GET  /desk/profile                     login   200   200   200
POST /desk/profile                     login   303   303   303
GET  /desk/profile/mobile              login   200   200   200
POST /desk/profile/mobile              login   422   422   422
GET  /desk/sessions                    login   200   200   200
POST /desk/sessions                    login   303   303   303
GET  /desk/tickets                     login   200   200   200
POST /desk/tickets                     login   422   422   422
GET  /desk/tickets/new                 login   200   200   200
GET  /desk/tickets/{number}            login   200   404   404
POST /desk/tickets/{number}/messages   login   422   404   404
GET  /desk                             login   200   200   200
GET  /desk/letters                     login   200   200   200
POST /desk/letters                     login   422   422   403
GET  /desk/letters/new                 login   200   200   identity
POST /desk/letters/check               login   422   422   403
GET  /desk/letters/drafts/{id}         login   200   404   identity
POST /desk/letters/drafts/{id}/discard login   303   303   303
GET  /desk/letters/{code}              login   200   404   404
GET  /desk/letters/{code}/receipt      login   200   404   404
POST /desk/letters/{code}/corrections  login   422   404   404
POST /desk/letters/{code}/followups    login   422   404   404
GET  /desk/files/{id}                  login   200   404   404
GET  /track                            200     200   200   200
POST /track                            422     422   422   422
GET  /verify/{code}/{seal}             200     200   200   200
POST /captcha                          303     303   303   303
GET  /captcha/{id}.png                 200     200   200   200
GET  /captcha/{id}.wav                 200     200   200   200
END

# At clerks' addresses, the letter being referred to the unit of expert and
# manager:
#
#                                      nobody  clerk expert other manager admin

my $clerk = <<'END';
GET  /login                            200     200   200   200   200   200
POST /login                            422     422   422   422   422   422
GET  /login/totp                       login   login login login login login
POST /login/totp                       login   login login login login login
POST /logout                           login   303   303   303   303   303
GET  /                                 login   200   200   200   200   200
POST /search                           login   422   422   422   422   422
GET  /letters/{code}                   login   200   200   404   200   200
GET  /letters/{code}/changed           login   200   200   404   200   200
POST /letters/{code}/take              login   422   403   403   422   422
POST /letters/{code}/register          login   422   403   403   422   422
POST /letters/{code}/reply             login   422   403   403   422   422
POST /letters/{code}/draft             login   303   403   403   303   303
POST /letters/{code}/refer             login   422   403   403   422   422
POST /letters/{code}/note              login   422   422   404   422   422
POST /letters/{code}/ask-correction    login   422   403   403   422   422
POST /letters/{code}/close             login   422   403   403   422   422
POST /letters/{code}/reopen            login   422   403   403   422   422
POST /letters/{code}/prove-position    login   422   403   403   422   422
GET  /referrals/{id}                   login   200   200   404   200   200
POST /referrals/{id}/answer            login   404   422   404   422   404
POST /referrals/{id}/return            login   404   422   404   422   404
POST /referrals/{id}/recall            login   422   403   403   422   422
GET  /tickets                          login   200   403   403   200   200
GET  /tickets/{number}                 login   200   403   403   200   200
POST /tickets/{number}/messages        login   422   403   403   422   422
POST /tickets/{number}/close           login   303   403   403   303   303
GET  /messages                         login   200   403   403   200   200
GET  /messages/again                   login   403   403   403   422   422
POST /messages/again                   login   403   403   403   422   422
POST /messages/{id}/resend             login   422   403   403   422   422
GET  /files/{id}                       login   200   200   404   200   200
GET  /invitations/{token}              200     200   200   200   200   200
POST /invitations/{token}              422     422   422   422   422   422
GET  /totp                             410     410   410   410   410   410
POST /totp                             410     410   410   410   410   410
GET  /canned                           login   200   200   200   200   200
POST /canned                           login   403   403   403   422   422
GET  /statistics                       login   403   403   403   200   200
GET  /units                            login   403   403   403   403   200
POST /units                            login   403   403   403   403   422
GET  /books                            login   403   403   403   403   200
POST /books                            login   403   403   403   403   422
GET  /calendar                         login   403   403   403   403   200
POST /calendar                         login   403   403   403   403   422
GET  /staff                            login   403   403   403   403   200
POST /staff                            login   403   403   403   403   422
POST /staff/{id}/invite                login   403   403   403   403   303
GET  /staff/{id}/disable               login   403   403   403   403   200
POST /staff/{id}/disable               login   403   403   403   403   303
POST /staff/{id}/enable                login   403   403   403   403   303
POST /staff/{id}/sessions/end          login   403   403   403   403   303
GET  /staff/{id}/handover              login   403   403   403   403   200
POST /staff/{id}/handover              login   403   403   403   403   422
POST /staff/{id}/substitute            login   403   403   403   403   422
POST /staff/{id}/substitute/end        login   403   403   403   403   303
GET  /settings                         login   403   403   403   403   200
POST /settings                         login   403   403   403   403   422
GET  /audit                            login   403   403   403   403   200
END

my @citizens = qw(owner other level1);
my @clerks = qw(clerk expert other_expert manager admin);
my %table = (citizen => read_table($citizen, 'nobody', @citizens),
             clerk => read_table($clerk, 'nobody', @clerks));
my %routes = read_routes("$FindBin::RealBin/../src/routes.c");

for my $kind (sort keys %routes) {
    ok(scalar @{ $routes{$kind} }, "there are routes of the $kind location");

    my %there = map { $_ => 1 } @{ $routes{$kind} };
    my @silent = grep { !$table{$kind}{$_} } @{ $routes{$kind} };
    my @gone = grep { !$there{$_} } sort keys %{ $table{$kind} };

    is(join(', ', @silent), '', "each $kind route has its line");
    is(join(', ', @gone), '', "each $kind line has its route");
}


# The people, and the owner's things.

my $p = Portal->new(workers => 2,
    http => "    correspondence_login_rate 1000;\n"
            . "    correspondence_left_rate 0;\n");

$p->{staff} = Staff::make_all($p->instance,
    [ expert => 'نیما حقوقی', 'legal', 'lawyer' ],
    [ expert => 'لیلا مالی', 'finance', 'other_expert' ],
    [ clerk => 'رفته از اینجا', 'secretariat', 'victim' ]);
$p->secret($_->{password}) for @{ $p->{staff} };

my %mark = map { $_ => "نهان-$_-" . int rand 1e9 }
           qw(note instruction answer recall returned);
my $hidden_name = 'hidden-' . int(rand 1e9) . '.png';
my %by = map { $_ => $p->browser } 'nobody', 'half', @citizens, @clerks;
my %who;

$by{lawyer} = $p->browser->clerk_login('lawyer');

$by{$_}->clerk_login($_) for @clerks;
$by{half}->get('/clerk/login')->submit({ username => 'clerk',
    password => $p->staff('clerk')->{password} })->expect(303, 'half way');

for my $name (@citizens) {
    $who{$name} = $by{$name}->signup;
    $by{$name}->set_password;
    $by{$name}->identify if $name ne 'level1';
}

my $code = $by{owner}->send_letter(subject => 'نامهٔ مالک');
my %unit = map { $_->{code} => $_->{id} } $p->sql('SELECT code, id FROM units');

act('clerk', "/letters/$code/register", book => $p->value(
    'SELECT code FROM books WHERE active ORDER BY id LIMIT 1'));
act('clerk', "/letters/$code/note", note_body => $mark{note});
act('clerk', "/letters/$code/refer", unit => $unit{legal},
    instruction => $mark{instruction});

my $first = $p->value('SELECT max(id) FROM referrals');

$by{lawyer}->get("/clerk/referrals/$first")->expect(200, 'its unit');
act('lawyer', "/referrals/$first/return",
    return_body => $mark{returned});
act('clerk', "/letters/$code/refer", unit => $unit{finance},
    instruction => $mark{instruction});
act('clerk', '/referrals/' . $p->value('SELECT max(id) FROM referrals')
    . '/recall', recall_body => $mark{recall});
act('clerk', "/letters/$code/refer", unit => $unit{technical},
    instruction => $mark{instruction});

my $answered = $p->value('SELECT max(id) FROM referrals');

act('expert', "/referrals/$answered/answer", body => $mark{answer},
    file => [[ $hidden_name, Portal::Browser::tiny_png('hidden'),
               'image/png' ]]);
act('clerk', "/letters/$code/refer", unit => $unit{technical},
    instruction => $mark{instruction});

delete $by{lawyer};

my $hidden_file = $p->value('SELECT id FROM files WHERE name = ?',
                            $hidden_name);

$by{owner}->get('/desk/tickets/new');
$by{owner}->submit({ subject => 'کمک', body => 'چه کنم؟',
                     file => picture() })->expect(303, 'a ticket');
$by{owner}->get('/desk/letters/new');
$by{owner}->post('/desk/letters/check', { %{ letter() },
    file => picture() })
    ->expect(303, 'a draft');

$by{admin}->get('/clerk/staff');
$by{admin}->submit({ name => 'تازه', username => 'newcomer', role => 'clerk',
                     unit => '' })->expect(303, 'an invitation')->follow;

my ($token) = $by{admin}->body =~ m{/clerk/invitations/([\w-]{43})};
my ($seal) = $by{owner}->json("/desk/letters/$code/receipt")->{verify_url}
             =~ m{/verify/\d+/([\w-]+)};

$p->message($who{owner}{mobile}, qr/شماره/);

# captchas from here on, for their addresses

$p->instance->{captcha} = 'on';
$p->configure;
$p->reload;

my $captcha = $by{owner}->get('/desk/letters/new')->dom
                        ->at('[name=captcha_id]')->attr('value');
my ($resend) = $p->sql('SELECT id FROM messages WHERE template = ?',
                       'letter_registered');

my %object = (
    citizen => { number => $p->value('SELECT number FROM tickets'),
                 code => $code, seal => $seal,
                 '/desk/files/{id}' => $p->value(
                     q{SELECT id FROM files WHERE purpose = 'letter'}),
                 (map { ("/desk/letters/drafts/{id}$_" => $p->value(
                             'SELECT id FROM drafts')) } '', '/discard'),
                 '/captcha/{id}.png' => $captcha,
                 '/captcha/{id}.wav' => $captcha },
    clerk => { number => $p->value('SELECT number FROM tickets'),
               code => $code, token => $token,
               '/files/{id}' => $p->value(
                   q{SELECT id FROM files WHERE purpose = 'letter'}),
               '/messages/{id}/resend' => $resend->{id},
               (map { ("/referrals/{id}$_" => $p->value(
                           'SELECT max(id) FROM referrals')) }
                '', qw(/answer /return /recall)),
               id => $p->value('SELECT id FROM staff WHERE username = ?',
                               'victim') },
);

# Forms that are whole and right.

my %form = (
    citizen => {
        '/desk/password' => sub { { current_password => $_[0]{password},
                                    new_password => 'گلدان سبز لب پنجره' } },
        '/desk/profile' => sub { { address => 'شیراز', phone => '',
                                   email => '' } },
        '/desk/profile/mobile' => sub { { mobile => mobile() } },
        '/desk/sessions' => sub { { all => 1 } },
        '/desk/tickets' => sub { { subject => 'ت', body => 'متن' } },
        '/desk/tickets/{number}/messages' => sub { { body => 'متن' } },
        '/desk/letters' => \&letter, '/desk/letters/check' => \&letter,
        '/desk/letters/{code}/corrections' => sub { { file => picture() } },
        '/desk/letters/{code}/followups' => sub { { body => 'پیرو',
                                                    file => picture() } },
    },
    clerk => {
        '/search' => sub { { q => $code } },
        '/letters/{code}/register' => sub { { book => '' } },
        '/letters/{code}/reply' => sub { { body => 'x', final => 1,
                                           version => version() } },
        '/letters/{code}/draft' => sub { { body => 'x' } },
        '/letters/{code}/refer' => sub { { unit => $unit{finance},
            instruction => 'x', version => version() } },
        '/letters/{code}/note' => sub { { note_body => 'x' } },
        '/letters/{code}/ask-correction' => sub { { correction_body => 'x',
            file_id => $object{clerk}{'/files/{id}'},
            version => version() } },
        '/letters/{code}/close' => sub { { close_body => 'x',
                                           version => version() } },
        '/settings' => sub { { due_days => 1, followups_day => 1,
            tickets_day => 1, ticket_messages_day => 1,
            message_tries => 1, message_blind_tries => 1 } },
        '/referrals/{id}/answer' => sub { { body => 'x' } },
        '/referrals/{id}/return' => sub { { return_body => 'x' } },
        '/referrals/{id}/recall' => sub { { recall_body => 'x' } },
        '/tickets/{number}/messages' => sub { { body => 'x' } },
        '/canned' => sub { { title => 'x', body => 'x', active => 1 } },
        '/units' => sub { { code => 'x', name => 'x', active => 1 } },
        '/books' => sub { { code => 'x', name => 'x', active => 1 } },
        '/calendar' => sub { { day => '1406/01/05', day_kind => 'holiday',
                               title => 'x' } },
        '/staff' => sub { { name => 'x', username => 'intruder',
                            role => 'admin', unit => '' } },
        '/staff/{id}/handover' => sub { { to => $p->value(
            'SELECT id FROM staff WHERE username = ?', 'clerk') } },
        '/staff/{id}/substitute' => sub { { substitute => $p->value(
            'SELECT id FROM staff WHERE username = ?', 'clerk'),
            from => '1406/01/05', to => '1406/01/06' } },
    },
);

my @tables = qw(persons units staff substitutes invitations books
                register_counters canned letters drafts events referrals
                tickets ticket_messages files corrections submissions
                companies calendar_days reply_drafts settings);
my %cookie = map { $_ => [ map { $_ ? $_->value : '' } session($by{$_}) ] }
             keys %by;
my ($cells, $leaks) = (0, 0);
my @secrets = (values %mark, $hidden_name, $hidden_file, 'is_internal');


# First all that is refused.

my @level1 = $p->db->selectrow_array('SELECT mobile_step, registry_step
    FROM persons WHERE national_code = ?', undef, $who{level1}{national_code});
my $before = state();

for my $kind (qw(citizen clerk)) {
    for my $route (@{ $routes{$kind} }) {
        for my $name (sort keys %by) {
            my $right = expected($kind, $route, $name);

            cell($kind, $route, $name, $right, 1)
                if $right =~ /^(?:login|identity|403|404|410)$/;
        }
    }
}

is_deeply(state(), $before, 'nobody who was refused changed anything');

# Each role that was refused stands in the audit, a GET as page and as data.

my %refused;

for my $route (sort keys %{ $table{clerk} }) {
    my ($method, $path) = split ' ', $route;

    $refused{$path} += $method eq 'GET' ? 2 : 1
        for grep { $_ eq '403' } values %{ $table{clerk}{$route} };
}

is_deeply({ map { $_->{object_id} => $_->{n} } $p->sql(
              q{SELECT object_id, count(*) AS n FROM audit
                 WHERE actor = 'staff' AND action = 'refused'
                   AND object = 'route' AND address <> ''
                 GROUP BY object_id}) },
          \%refused, 'each refusal of a role is written down');

# A ticket's file: who sees no tickets has none of theirs, asked as they may.

{
    local $object{clerk}{'/files/{id}'} = $p->value(
        q{SELECT id FROM files WHERE purpose = 'ticket'});
    my %right = (%{ $table{clerk}{'GET /files/{id}'} }, expert => 404);

    for my $name (sort keys %by) {
        my $right = $right{$name} // $right{nobody};
        my $address = address('clerk', '/files/{id}');

        cell('clerk', 'GET /files/{id}', $name, $right, 0);
        bring($name);
        is(got('clerk', $by{$name}->request(HEAD => $address, {})), $right,
           "$name: HEAD $address");
    }
}

# Then what is allowed, log-out last.

for my $kind (qw(citizen clerk)) {
    for my $route (sort { ($a =~ /logout/) - ($b =~ /logout/) }
                   @{ $routes{$kind} })
    {
        for my $name (sort keys %by) {
            my $right = expected($kind, $route, $name);

            cell($kind, $route, $name, $right, 0)
                if $right !~ /^(?:login|identity|403|404|410)$/;
        }
    }
}

diag("$cells cells: ", scalar(map { @$_ } values %routes), ' routes, ',
     scalar(keys %by), ' visitors, GET as page and as data');

# Another method than a route's is none.

my $nobody = $p->browser;

for my $kind (qw(citizen clerk)) {
    my %known = map { $_ => 1 } @{ $routes{$kind} };

    for my $path (sort keys %{ { map { (split ' ')[1] => 1 }
                                 @{ $routes{$kind} } } })
    {
        my $address = address($kind, $path);

        # /desk/letters/check is as good a /desk/letters/{code} as any

        my @like = map { s/\{\w+\}/[^\/]+/gr } grep { /\}$/ } keys %known;

        for my $method (grep { my $m = "$_ $path"; !$known{$m}
                               && !grep { $m =~ /^$_$/ } @like }
                        qw(GET POST PUT DELETE))
        {
            is($nobody->request($method => $address, {})->status, 405,
               "$method $address");
        }
    }
}

is($nobody->get($_)->status, 404, "$_ is nowhere")
    for '/desk/nothing', '/letters/' . $code, '/units', '/clerk/desk',
        '/clerk/nothing', '/clerk/desk/letters/' . $code, '/clerk/signup';

# Nothing internal: pages and data were read above; files and SMS.

is($leaks, 0, 'nothing internal on any page, in any data of a citizen');
is($p->browser->login(@{ $who{owner} }{qw(national_code password)})
     ->get("/desk/files/$hidden_file")->status, 404, 'nor the internal file');

for my $m ($p->messages) {
    ok(!(grep { index($m->{text}, $_) >= 0 } @secrets), 'nor in an SMS')
        or diag $m->{text};
}

$p->done;


# -----------------------------------------------------------------------------

sub read_table {
    my ($text, @names) = @_;
    my %rows;

    for my $line (split /\n/, $text) {
        my ($method, $path, @cells) = split ' ', $line;

        @cells == @names or die "not a line of the table: $line\n";
        $rows{"$method $path"} = { map { $names[$_] => $cells[$_] }
                                   0 .. $#names };
    }

    return \%rows;
}


sub read_routes {
    my ($file) = @_;
    my $source = Instance::slurp($file);
    my %found;

    while ($source =~ /corr_(citizen|clerk)_routes\[\] = \{(.*?)^\};/msg) {
        my ($kind, $text) = ($1, $2);

        while ($text =~ /corr_(get|post)\(\s*"([^"]+)"/g) {
            push @{ $found{$kind} }, uc($1) . " $2";
        }

        # no route that this reading would miss

        my $all = () = $text =~ /^\s+(?:corr_(?!end)\w+\(|\{)/mg;

        is(scalar @{ $found{$kind} }, $all, "all $kind routes are read");
    }

    return %found;
}


# What somebody must get.  At the other kind's addresses everyone is nobody;
# between password and code one is nobody but for the code's page.

sub expected {
    my ($kind, $route, $name) = @_;
    my $row = $table{$kind}{$route} // return 'none';

    return $row->{$name} if exists $row->{$name};
    return $route =~ /^GET/ ? 200 : 422
        if $name eq 'half' && $kind eq 'clerk' && $route =~ m{/login/totp$};

    # a letter may wait for its sender to log in again, a reply for its
    # clerk, and nobody else's

    return 403 if $name ne 'nobody'
                  && $route =~ m{^POST /desk/letters(?:/check)?$};
    return 403 if $name !~ /^(?:nobody|half)$/
                  && $route =~ m{^POST /letters/\{code\}/(?:reply|draft)$};
    return $row->{nobody};
}


sub cell {
    my ($kind, $route, $name, $right, $whole) = @_;
    my ($method, $path) = split ' ', $route;
    my $address = address($kind, $path);
    my $b = $by{$name};

    $cells++;

    if ($method eq 'GET') {
        bring($name);
        is(got($kind, $b->get($address)), $right, "$name: GET $address");
        look($kind, $b);

        $cells++;
        bring($name);
        $b->get($address, { Accept => 'application/json' });
        is($b->status, $right eq 'login' ? 401 : $right eq 'identity' ? 403
                       : $right, "$name: GET $address as data");
        look($kind, $b);
        return;
    }

    my $fields = $whole ? { submission_key => key(),
                            %{ ($form{$kind}{$path} // sub { {} })
                               ->($who{$name} // {}) } } : {};

    my $csrf = csrf($kind, $name);

    if (!$whole && $right =~ /^(?:303|422)$/) {
        bring($name);
        is($b->post($address, { csrf => undef })->status, 403,
           "$name: POST $address without the form's token");
    }

    # an answer that comes before the form was sent ends the connection

    bring($name);
    is(got($kind, $b->post($address, { csrf => $csrf, %$fields },
                           { Connection => 'close' })), $right,
       "$name: POST $address");
    look($kind, $b);

    # who proves something is to stay at level 1 here

    $p->db->do('UPDATE persons SET mobile_step = ?, registry_step = ?
                 WHERE national_code = ?', undef, @level1,
               $who{level1}{national_code})
        if $name eq 'level1' && $path =~ /identity/;
}


sub got {
    my ($kind, $b) = @_;

    return $b->status if $b->status != 303;

    my $to = $b->path;

    return 'login' if $to =~ m{^(?:/clerk)?/login(?:\?(?:next|ended)=|$)}
                      && (($to =~ m{^/clerk/}) == ($kind eq 'clerk'));
    return 'identity' if $to eq '/desk/identity'
                         && $b->tx->req->method eq 'GET';
    return 303;
}


sub look {
    my ($kind, $b) = @_;

    return if $kind ne 'citizen';

    my $body = $b->body;

    utf8::decode($body);

    for my $secret (grep { index($body, $_) >= 0 } @secrets) {
        $leaks++;
        diag("«$secret» at ", $b->tx->req->url->path);
    }
}


sub address {
    my ($kind, $path) = @_;
    my $of = $object{$kind};
    my $address = ($kind eq 'clerk' ? '/clerk' : '') . $path;

    $address =~ s/\{(\w+)\}/$of->{$path} \/\/ $of->{$1} \/\/ die $path/ge;
    return $address;
}


# The session's token, under both names.

sub session {
    my ($b) = @_;
    my %have = map { $_->name => $_ } @{ $b->ua->cookie_jar->all };

    return @have{qw(correspondence correspondence-clerk)};
}


sub bring {
    my ($name) = @_;
    my ($citizen, $clerk) = @{ $cookie{$name} };
    my $is_citizen = grep { $_ eq $name } @citizens;
    my $value = $name eq 'nobody' ? '' : $is_citizen ? $citizen : $clerk;

    return if !$value;

    for my $cookie (qw(correspondence correspondence-clerk)) {
        $by{$name}->ua->cookie_jar->add(Mojo::Cookie::Response->new(
            name => $cookie, value => $value, domain => 'localhost',
            path => '/'));
    }
}


sub csrf {
    my ($kind, $name) = @_;
    my $b = $by{$name};
    my $own = $kind eq 'citizen' ? (grep { $_ eq $name } @citizens)
              : (grep { $_ eq $name } @clerks);

    bring($name);
    $b->get($own ? ($kind eq 'clerk' ? '/clerk/canned' : '/desk/profile')
            : $kind eq 'clerk' ? ($name eq 'half' ? '/clerk/login/totp'
                                                  : '/clerk/login')
            : '/login');
    return $b->find_csrf // $b->fail('no token');
}


sub act {
    my ($name, $path, %fields) = @_;
    my $version = $path =~ m{^/letters/} ? version() : undef;

    $by{$name}->post("/clerk$path", { submission_key => key(),
        (defined $version ? (version => $version) : ()), %fields })
        ->expect(303, $path);
}


sub version { $p->value('SELECT version FROM letters') }
sub key     { join '', map { ('a' .. 'z')[rand 26] } 1 .. 24 }
sub picture { [[ 'p.png', Portal::Browser::tiny_png(rand), 'image/png' ]] }

sub letter {
    return { submission_key => key(), person_kind => 'natural',
             address => 'تهران، خیابان آزادی', subject => 'موضوع',
             body => 'متن', file => picture() };
}


sub state {
    return { map { $_ => $p->value("SELECT md5(coalesce(string_agg(t::text,
                 E'\\n' ORDER BY t::text), '')) FROM $_ AS t") } @tables };
}
