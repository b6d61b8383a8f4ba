package Portal::Wire;

# The portal's main requests as bytes, and connections that do with them
# what no browser does.
#
#   my $p = Portal->new(Portal::Wire::options, …);
#   my $w = Portal::Wire->new($p);            # a citizen, a clerk, a letter
#   $w->names                                 # 'desk', 'sign-up', …
#   my $bytes = $w->bytes('letter');          # a new letter every time
#   $w->expected('letter')                    # 303
#   $w->large(3_000_000)                      # a file of about this size
#
#   my $answer = $w->ask($bytes, 10);         # { status, head, body, whole }
#   my $s = $w->send($bytes);                 # sent, the answer not read
#   $w->abort($s);                            # reset
#
# A request ends its connection, so that whatever it held is given back.

use strict;
use warnings;
use utf8;

use IO::Select;
use IO::Socket::INET;
use Mojo::URL;
use Socket qw(SOL_SOCKET SO_LINGER SO_RCVBUF);
use Time::HiRes qw(time);

use Portal::Browser;
use Portal::Numbers;

# name, who asks, expected answer, and what makes the request

my @requests = (
    [ 'sessions',   'citizen', 200, sub { get('/desk/sessions') } ],
    [ 'home',       'nobody',  200, sub { get('/') } ],
    [ 'sign-up',    'nobody',  303, \&sign_up ],
    [ 'log-in',     'nobody',  303, sub {
        $_[0]{portal}->db->do('DELETE FROM tries');
        post('/login', { national_code => $_[0]{often}{national_code},
                         password => $_[0]{often}{password} }) } ],
    [ 'wrong',      'nobody',  422, sub {
        $_[0]{portal}->db->do('DELETE FROM tries');
        post('/login', { national_code => $_[0]{other}{national_code},
                         password => 'not the password' }) } ],
    [ 'captcha',    'nobody',  303, sub { post('/captcha', {}) } ],
    [ 'picture',    'nobody',  200, sub { get($_[0]->captcha->{picture}) } ],
    [ 'track',      'nobody',  200, sub {
        post('/track', { tracking_code => $_[0]{code}, mobile_last4 =>
                         substr $_[0]{person}{mobile}, -4 }) } ],
    [ 'desk',       'citizen', 200, sub { get('/desk') } ],
    [ 'letters',    'citizen', 200, sub { get('/desk/letters') } ],
    [ 'a letter',   'citizen', 200, sub { get("/desk/letters/$_[0]{code}") } ],
    [ 'receipt',    'citizen', 200, sub {
        get("/desk/letters/$_[0]{code}/receipt") } ],
    [ 'file',       'citizen', 200, sub { get("/desk/files/$_[0]{file}") } ],
    [ 'form',       'citizen', 200, sub { get('/desk/letters/new') } ],
    [ 'letter',     'citizen', 303, \&letter ],
    [ 'check',      'citizen', 303, sub {
        my (undef, undef, $form) = letter(@_);
        post('/desk/letters/check', $form) } ],
    [ 'ticket',     'citizen', 303, sub {
        $_[0]->forget;
        post('/desk/tickets', { submission_key => key(), subject => 'پرسش',
                                body => 'متن پرسش', file => file() }) } ],
    [ 'profile',    'citizen', 303, sub {
        post('/desk/profile', { address => 'تهران، خیابان آزادی' }) } ],
    [ 'identity',   'new',     303, sub {
        $_[0]{portal}->db->do(q{UPDATE persons SET mobile_step = 'open'
            WHERE national_code = ?}, undef, $_[0]{new}{national_code});
        $_[0]{portal}->db->do(q{UPDATE identity_evidence
            SET at = at - interval '2 days'});
        post('/desk/identity/mobile', {}) } ],
    [ 'inbox',      'clerk',   200, sub { get('/clerk/') } ],
    [ 'read',       'clerk',   200, sub { get("/clerk/letters/$_[0]{code}") } ],
    [ 'note',       'clerk',   303, sub {
        post("/clerk/letters/$_[0]{code}/note",
             { submission_key => key(), note_body => 'یادداشت' }) } ],
    [ 'statistics', 'manager', 200, sub { get('/clerk/statistics') } ],
    [ 'metrics',    'nobody',  200, sub { get('/metrics') } ],
);

my %requests = map { $_->[0] => $_ } @requests;


# The same person asks a thousand times.

sub options {
    return (captcha => 'on', http => q{
        correspondence_codes_per_address_hour  100000;
        correspondence_misbehaviour            100000;
        correspondence_captcha_rate            100000;
        correspondence_login_rate              100000;
        correspondence_track_rate              100000;
        correspondence_left_rate               100000;
        correspondence_uploads_per_hour        2000m;
        correspondence_changes_per_hour        0;
    });
}


sub new {
    my ($class, $portal) = @_;
    my $self = bless { portal => $portal, browsers => {} }, $class;
    my $b = $self->{browsers};

    $b->{$_} = $portal->browser for qw(nobody citizen new often);
    $b->{nobody}->get('/login');

    $self->{person} = $b->{citizen}->signup;
    $b->{citizen}->set_password;
    $self->identified($self->{person});
    $self->{code} = $b->{citizen}->send_letter(
        files => file(), %{ $self->captcha->{fields} // {} });
    $self->{file} = $portal->value(
        'SELECT f.id FROM files AS f JOIN letters AS l ON l.id = f.letter_id
          WHERE l.tracking_code = ?', $self->{code});

    $self->{new} = $b->{new}->signup;

    # a hundred log-ins end the oldest session of an account: not the citizen's

    $self->{often} = $b->{often}->signup;
    $b->{often}->set_password;
    $b->{$_}->get('/desk/profile') for qw(citizen new);
    $self->{other} = { national_code => national_code() };

    for my $role (qw(clerk manager)) {
        $b->{$role} = $portal->browser->clerk_login($role);
        $b->{$role}->get('/clerk/');
    }

    $b->{clerk}->get("/clerk/letters/$self->{code}")
               ->submit({}, 'form[action$="/take"]')
               ->expect(303, 'the clerk takes the letter');

    return $self;
}


sub names    { map { $_->[0] } @requests }
sub expected { $requests{ $_[1] }[2] }


sub identified {
    my ($self, $person) = @_;

    $self->{portal}->db->do(q{UPDATE persons SET mobile_step = 'yes',
        registry_step = 'yes', first_name = 'زهرا', last_name = 'کریمی',
        father_name = 'علی' WHERE national_code = ?}, undef,
        $person->{national_code});
}


# What people have sent today, they sent before.

sub forget {
    my ($self) = @_;

    $self->{portal}->db->do("UPDATE $_ SET created_at = created_at - "
                            . "interval '2 days' WHERE created_at > "
                            . "now() - interval '1 day'")
        for qw(letters tickets);
}


sub get  { return (GET => $_[0]) }
sub post { return (POST => $_[0], $_[1]) }
sub key  { unpack 'H*', Instance::random_bytes(20) }

sub file {
    my $mark = unpack 'H*', Instance::random_bytes(1500);

    return [ [ 'letter.png', Portal::Browser::tiny_png($mark),
               'image/png' ] ];
}


sub sign_up {
    my ($self) = @_;
    my %birth;

    @birth{qw(birth_day birth_month birth_year)} = birth_date();
    return post('/signup', { national_code => national_code(),
                             mobile => mobile(), %birth });
}


sub letter {
    my ($self) = @_;

    $self->forget;
    return post('/desk/letters', { submission_key => key(),
        person_kind => 'natural', address => 'تهران، خیابان آزادی',
        subject => 'درخواست', body => 'متن درخواست', file => file(),
        %{ $self->captcha->{fields} // {} } });
}


# A captcha of the letter form, and what it shows.  What was disturbed may
# need a moment.

sub captcha {
    my ($self) = @_;
    my $b = $self->{browsers}{citizen};

    Portal::wait_until(10, sub {
        $b->get('/desk/letters/new')->status == 200 })
        or $b->fail('no letter form');

    my $field = $b->dom->at('[name="captcha_id"]') // return {};
    my $id = $field->attr('value');

    return { picture => $b->dom->at('[data-captcha] img')->attr('src'),
             fields => { captcha_id => $id, captcha =>
                         $self->{portal}->captcha_answer($id) } };
}


sub bytes {
    my ($self, $name) = @_;
    my (undef, $who, undef, $make) = @{ $requests{$name} };

    return $self->wrap($self->{browsers}{$who}, $make->($self));
}


sub wrap {
    my ($self, $b, $method, $path, $form) = @_;
    my @body;

    if ($form) {
        my %form = (csrf => $b->csrf, %$form);

        for my $value (grep { ref } values %form) {
            $value = [ map { Portal::Browser::file_part(@$_) } @$value ];
        }

        @body = (form => \%form);
    }

    my $tx = $b->ua->build_tx($method => $b->url($path),
                              { Connection => 'close',
                                'User-Agent' => 'Mozilla/5.0 (test)' },
                              @body);

    $b->ua->cookie_jar->prepare($tx);
    $tx->req->fix_headers;
    return $tx->req->to_string;
}


# A letter with a large file, and the request for that file.

sub large {
    my ($self, $size) = @_;
    my $mark = unpack 'H*', Instance::random_bytes(int $size / 2);
    my $b = $self->{browsers}{citizen};
    my $code = $b->send_letter(
        files => [ [ 'large.png', Portal::Browser::tiny_png($mark),
                     'image/png' ] ], %{ $self->captcha->{fields} // {} });

    return $self->wrap($b, GET => '/desk/files/' . $self->{portal}->value(
        'SELECT f.id FROM files AS f JOIN letters AS l ON l.id = f.letter_id
          WHERE l.tracking_code = ?', $code));
}


sub port { $_[0]{portal}->port }


sub connect {
    my ($self, %o) = @_;
    my $s = IO::Socket::INET->new(Proto => 'tcp') or die "socket: $!\n";

    setsockopt $s, SOL_SOCKET, SO_RCVBUF, $o{buffer} if $o{buffer};
    CORE::connect($s, Socket::pack_sockaddr_in($self->port,
                      Socket::inet_aton('127.0.0.1')))
        or die "connect: $!\n";
    return $s;
}


sub send {
    my ($self, $bytes, %o) = @_;
    my $s = $self->connect(%o);

    put($s, $bytes);
    return $s;
}


# All of it, or as much as the other side takes.

sub put {
    my ($s, $bytes) = @_;

    while (length $bytes) {
        my $n = syswrite $s, $bytes or return 0;
        substr $bytes, 0, $n, '';
    }

    return 1;
}


# Gone at once, and the other side is told so (default) or sees an end.

sub abort {
    my ($self, $s, $quietly) = @_;

    setsockopt $s, SOL_SOCKET, SO_LINGER, pack('II', 1, 0) if !$quietly;
    close $s;
}


sub ask {
    my ($self, $bytes, $seconds) = @_;
    my $s = $self->send($bytes);

    return $self->answer($s, $seconds);
}


# Has the answer begun?

sub answered {
    my ($self, $s) = @_;

    return IO::Select->new($s)->can_read(0);
}


# status: a number, "none" (closed without an answer), "cut" (the answer is
# not whole) or "late".

sub answer {
    my ($self, $s, $seconds) = @_;
    my $until = time + ($seconds // 20);
    my $text = '';
    my $end;

    while (!$end && time < $until) {
        IO::Select->new($s)->can_read($until - time) or last;
        my $n = sysread $s, $text, 65536, length $text;
        $end = !$n;
    }

    close $s;
    my ($status, $head, $body)
        = $text =~ m{^HTTP/1\.1 (\d+)(.*?\r\n)\r\n(.*)}s;
    my $whole = defined $status && whole($head, $body);

    return { status => !$end ? 'late' : !defined $status ? 'none'
                       : $whole ? $status : 'cut',
             head => $head // '', body => $body // '' };
}


sub whole {
    my ($head, $body) = @_;

    return length $body == $1 if $head =~ /^Content-Length: (\d+)/mi;
    return $body =~ /(?:^|\r\n)0\r\n\r\n\z/
        if $head =~ /^Transfer-Encoding: chunked/mi;
    return 1;
}


1;
