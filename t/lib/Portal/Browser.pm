package Portal::Browser;

# A client with cookies who fills in forms: what a browser without scripts
# does.  Made by $portal->browser.
#
#   $b->get('/signup');  $b->status  $b->dom  $b->text  $b->location
#   $b->submit({ national_code => … });         the form of the last page
#                                               that has these fields
#   $b->post('/logout', { … });                 any address; csrf from the
#                                               last page, or fetched
#   $b->follow;                                 where a 303 points to
#   $b->json('/desk/letters');                  the same page as data
#   $b->error('mobile')                         what stands at a field
#   $b->flash                                   role=status / alert texts
#
# and the main ways through the portal, each dies with the page it met:
#
#   $b->signup(national_code => …, mobile => …, birth => [d, m, y])
#   $b->set_password('…');  $b->login($code, '…');  $b->login_code($code, $mobile)
#   $b->identify;                               levels 2 and 3
#   $code = $b->send_letter(subject => …, files => [[ name, bytes, type ]])
#   $b->clerk_login('admin');
#
# A file is [ file name, bytes, content type ].

use strict;
use warnings;
use utf8;

use Mojo::UserAgent;
use Mojo::URL;
use Mojo::Util qw(trim);
use Scalar::Util qw(weaken);

use Portal::Numbers;


sub new {
    my ($class, $portal, %o) = @_;

    my $ua = Mojo::UserAgent->new(max_redirects => 0, request_timeout => 60,
                                  inactivity_timeout => 60,
                                  connect_timeout => 5, %{ $o{ua} // {} });

    $ua->proxy->http(undef)->https(undef);
    $ua->transactor->name('Mozilla/5.0 (test)');

    my $self = bless { portal => $portal, ua => $ua,
                       base => $o{base} // $portal->base,
                       headers => $o{headers} // {} }, $class;

    weaken($self->{portal});
    return $self;
}


sub ua { $_[0]->{ua} }
sub tx { $_[0]->{tx} }


# Requests.

sub url {
    my ($self, $path) = @_;

    return $path =~ m{^https?://} ? $path : $self->{base} . $path;
}


sub get {
    my ($self, $path, $headers) = @_;

    return $self->request(GET => $path, $headers // {});
}


sub json {
    my ($self, $path) = @_;

    $self->request(GET => $path, { Accept => 'application/json' });
    return $self->{tx}->res->json;
}


# $fields: scalars, arrays of scalars, files.  With `csrf` in it (undef: none
# at all) that one is sent, else the one of the last page that has one.

sub post {
    my ($self, $path, $fields, $headers) = @_;
    my %form = %{ $fields // {} };

    if (!exists $form{csrf}) {
        $form{csrf} = $self->csrf // $self->fetch_csrf;
    }

    delete $form{csrf} if !defined $form{csrf};

    for my $value (values %form) {
        if (ref $value eq 'ARRAY' && @$value && ref $value->[0] eq 'ARRAY') {
            $value = [ map { file_part(@$_) } @$value ];
        }
    }

    return $self->request(POST => $path, $headers // {}, form => \%form);
}


sub file_part {
    my ($name, $bytes, $type) = @_;

    return { content => $bytes, filename => $name,
             'Content-Type' => $type // 'application/octet-stream' };
}


sub request {
    my ($self, $method, $path, $headers, @body) = @_;

    my $tx = $self->{ua}->build_tx($method => $self->url($path),
                                   { %{ $self->{headers} }, %$headers },
                                   @body);
    $self->{tx} = $self->{ua}->start($tx);

    my $csrf = $self->find_csrf;

    if (defined $csrf) {
        $self->{csrf} = $csrf;
        $self->{portal}->secret($csrf);
    }

    $self->{portal}->secret(grep { length >= 40 } map { $_->value }
                            @{ $self->{tx}->res->cookies });
    return $self;
}


# Fills the first form of the page that has all these fields (or the one
# that $selector finds); hidden and preset fields go with it, as they do in a
# browser.

sub submit {
    my ($self, $values, $selector) = @_;
    my $form = $self->form($values, $selector)
        // $self->fail('no form with ' . join(', ', sort keys %$values));

    my %fields = %{ preset($form) };
    my $action = Mojo::URL->new($form->attr('action') // '')
                 ->to_abs($self->{tx}->req->url->to_abs);

    return $self->post("$action", { %fields, %$values });
}


sub form {
    my ($self, $values, $selector) = @_;

    for my $form ($self->dom->find($selector // 'form')->each) {
        next if lc($form->attr('method') // 'get') ne 'post';
        return $form if !grep { !$form->at(qq([name="$_"])) } keys %$values;
    }

    return undef;
}


sub preset {
    my ($form) = @_;
    my %fields;

    for my $e ($form->find('input[name], select[name], textarea[name]')
               ->each)
    {
        my $type = lc($e->attr('type') // '');

        next if $type =~ /^(?:submit|button|image|reset|file)$/;
        next if $type =~ /^(?:checkbox|radio)$/
                && !exists $e->attr->{checked};

        my $name = $e->attr('name');
        my $value = $e->val // next;

        $fields{$name} = $type eq 'checkbox' && defined $fields{$name}
            ? [ map { ref ? @$_ : $_ } $fields{$name}, $value ] : $value;
    }

    return \%fields;
}


sub follow {
    my ($self) = @_;

    for (1 .. 5) {
        last if $self->status !~ /^30[1-8]$/;
        $self->get($self->location);
    }

    return $self;
}


# What came.

sub status   { $_[0]->{tx}->res->code // 0 }
sub dom      { $_[0]->{tx}->res->dom }
sub body     { $_[0]->{tx}->res->body }
sub header   { $_[0]->{tx}->res->headers->header($_[1]) }
sub text     { trim($_[0]->dom->all_text =~ s/\s+/ /gr) }


# Where to, as an absolute address; the path alone is ->path.

sub location {
    my ($self) = @_;
    my $to = $self->header('Location') // return undef;

    return Mojo::URL->new($to)->to_abs($self->{tx}->req->url->to_abs)
           ->to_string;
}


sub path {
    my ($self) = @_;
    my $to = $self->location // return undef;

    return Mojo::URL->new($to)->path_query;
}


sub csrf { $_[0]->{csrf} }


sub find_csrf {
    my ($self) = @_;
    my $res = $self->{tx}->res;

    return undef if ($res->headers->content_type // '') !~ m{^text/html};
    my $input = $res->dom->at('input[name="csrf"]') // return undef;
    return $input->attr('value');
}


sub fetch_csrf {
    my ($self) = @_;
    my $tx = $self->{tx};

    $self->get('/login');
    $self->{tx} = $tx if $tx;
    return $self->{csrf};
}


# What the page says is wrong with a field: the text beside it.

sub error {
    my ($self, $name) = @_;
    my $e = $self->dom->at(qq(#error-$name)) // return undef;

    return trim($e->all_text =~ s/\s+/ /gr);
}


sub flash {
    my ($self) = @_;

    return join ' ', map { trim($_->all_text =~ s/\s+/ /gr) }
        $self->dom->find('[role="status"], [role="alert"]')->each;
}


sub cookie {
    my ($self, $name) = @_;
    my ($c) = grep { $_->name eq $name } @{ $self->{ua}->cookie_jar->all };

    return $c ? $c->value : undef;
}


sub expect {
    my ($self, $status, $where) = @_;

    $self->fail("$where: expected $status") if $self->status != $status;
    return $self;
}


sub fail {
    my ($self, $what) = @_;
    my $tx = $self->{tx};
    my $page = $tx ? substr $self->text, 0, 600 : '';
    my ($package, $file, $line) = caller 0;

    for (my $i = 0; ($file // '') =~ m{/Browser\.pm$}; $i++) {
        ($package, $file, $line) = caller $i;
    }

    utf8::encode($page);
    die sprintf "%s\n  at %s line %s\n  %s %s -> %s %s\n  %s\n", $what,
        $file // '?', $line // 0, $tx ? $tx->req->method : '',
        $tx ? $tx->req->url : '', $tx ? $self->status : '',
        $tx ? $self->header('Location') // ($tx->error // {})->{message} // '' : '',
        $page;
}


# Ways through the portal.

sub signup {
    my ($self, %p) = @_;
    my $person = { national_code => national_code(), mobile => mobile(),
                   birth => [ birth_date() ], %p };
    my $portal = $self->{portal};

    $portal->secret(@$person{qw(national_code mobile)});

    my %birth;
    @birth{qw(birth_day birth_month birth_year)} = @{ $person->{birth} };

    my $seen = $portal->last_message($person->{mobile});

    $self->get('/signup')->expect(200, 'sign-up page');
    $self->submit({ national_code => $person->{national_code},
                    mobile => $person->{mobile}, %birth })
         ->expect(303, 'sign-up')->follow;
    $self->submit({ code => $portal->sms_code($person->{mobile}, $seen) })
         ->expect(303, 'sign-up code')->follow;

    $self->{person} = $person;
    return $person;
}


sub set_password {
    my ($self, $password) = @_;

    $password //= 'rah-' . join '-', map { int rand 9000 } 1 .. 4;
    $self->{portal}->secret($password);

    $self->get('/desk/password')->expect(200, 'password page');
    $self->submit({ new_password => $password })
         ->expect(303, 'password')->follow;

    $self->{person}{password} = $password;
    return $password;
}


sub login {
    my ($self, $national_code, $password) = @_;

    $self->get('/login')->expect(200, 'log-in page');
    $self->submit({ national_code => $national_code,
                    password => $password })->expect(303, 'log-in')->follow;
    return $self;
}


sub login_code {
    my ($self, $national_code, $mobile) = @_;
    my $portal = $self->{portal};
    my $seen = $portal->last_message($mobile);

    $self->get('/login/code')->expect(200, 'log-in by code');
    $self->submit({ national_code => $national_code })
         ->expect(303, 'national code')->follow;
    $self->submit({ mobile => $mobile })->expect(303, 'mobile')->follow;
    $self->submit({ code => $portal->sms_code($mobile, $seen) })
         ->expect(303, 'code')->follow;
    return $self;
}


# Levels 2 and 3.  The pages may ask the gateways at once or behind the
# answer: what counts is that the desk shows the level in the end.

sub identify {
    my ($self) = @_;

    for my $step (qw(mobile registry)) {
        my $path = $self->{base} . "/desk/identity/$step";

        $self->get('/desk/identity')->expect(200, 'identity page');
        next if !$self->dom->at(qq(form[action\$="/desk/identity/$step"]));

        $self->post("/desk/identity/$step", {});
        $self->fail("identity: $step") if $self->status !~ /^(?:303|200)$/;
        $self->follow;
    }

    return $self;
}


# Sends a letter the way the form does; returns its tracking code.

sub send_letter {
    my ($self, %p) = @_;
    my $files = delete $p{files} // [ [ 'letter.png', tiny_png(),
                                        'image/png' ] ];

    $self->get('/desk/letters/new')->expect(200, 'letter form');
    $self->submit({ person_kind => 'natural', address => 'تهران، خیابان آزادی',
                    subject => 'درخواست', body => 'متن درخواست',
                    @$files ? (file => $files) : (), %p })
         ->expect(303, 'letter');

    my ($code) = ($self->path // '') =~ /[?&]sent=(\d+)/
        or $self->fail('no tracking code');

    $self->follow;
    return $code;
}


sub clerk_login {
    my ($self, $role) = @_;
    my $portal = $self->{portal};
    my $who = ref $role ? $role : $portal->staff($role);

    $self->get('/clerk/login')->expect(200, 'clerk log-in');
    $self->submit({ username => $who->{username},
                    password => $who->{password} })
         ->expect(303, 'clerk password')->follow;
    $self->submit({ code => $portal->totp($who) })
         ->expect(303, 'clerk code')->follow;
    return $self;
}


# A picture that a browser shows: 1 x 1, with a text chunk that makes each
# different when asked to.

sub tiny_png {
    my ($mark) = @_;

    require Compress::Zlib;

    my $chunk = sub {
        my ($type, $data) = @_;

        return pack('N', length $data) . $type . $data
               . pack('N', Compress::Zlib::crc32($type . $data));
    };

    return "\x89PNG\r\n\x1a\n"
           . $chunk->('IHDR', pack('NNC5', 1, 1, 8, 0, 0, 0, 0))
           . (defined $mark ? $chunk->('tEXt', "Comment\0$mark") : '')
           . $chunk->('IDAT', Compress::Zlib::compress("\0\x80"))
           . $chunk->('IEND', '');
}


1;
