package Staff;

# The staff of a fresh instance: one of each role, invited as the owner of
# the database would invite them, and signed up through the portal's own
# pages.  Also TOTP (RFC 6238), for them and for tests.

use strict;
use warnings;
use utf8;

use Digest::SHA qw(hmac_sha1 sha256_hex);
use Mojo::UserAgent;

use Instance;

use constant UNITS => (
    [ secretariat => 'دبیرخانه' ],
    [ technical   => 'واحد فنی' ],
    [ finance     => 'امور مالی' ],
    [ legal       => 'امور حقوقی' ],
);

use constant STAFF => (
    [ clerk   => 'مریم دبیری',     'secretariat' ],
    [ expert  => 'رضا کارشناس',    'technical' ],
    [ manager => 'زهرا مدیری',     'technical' ],
    [ admin   => 'امیر راهبر',     undef ],
);


# Returns [ { role, username, password, totp_secret }, … ].

sub invite_all {
    my ($instance, @more) = @_;
    my (@sql, @list);

    push @sql, map { "SELECT unit_ensure(" . quote($_->[0]) . ', '
                     . quote($_->[1]) . ')' } UNITS;

    for my $who (STAFF, @more) {
        my ($role, $name, $unit, $username) = @$who;
        my $token = base64url(Instance::random_bytes(32));

        $username //= $role;
        push @list, { role => $role, username => $username,
                      token => $token };
        push @sql, 'SELECT staff_bootstrap('
                   . join(', ', map { quote($_) } $username, $name, $role,
                          $unit)
                   . ", '\\x" . sha256_hex($token) . "', 24)";
    }

    owner_sql($instance, @sql);
    return [ map { sign_up($instance, $_) } @list ];
}


# What the owner of the schema does: psql, one transaction.

sub owner_sql {
    my ($instance, @statements) = @_;
    my $log = "$instance->{dir}/logs/staff.log";

    local %ENV = ($instance->environment,
                  %{ $instance->postgres_environment },
                  PGOPTIONS => '-c role=correspondence_owner '
                               . '-c search_path=correspondence');

    open my $psql, '|-:encoding(UTF-8)', 'psql -XAtq1 -v ON_ERROR_STOP=1 '
         . '-f - >> ' . quotemeta($log) . ' 2>&1' or die "psql: $!\n";
    print $psql "$_;\n" for @statements;
    close $psql or die "the staff could not be invited:\n"
                       . Instance::tail($log);
}


# Follows the link: a password, then a code of the secret that is shown.

sub sign_up {
    my ($instance, $who) = @_;
    my $base = "http://localhost:$instance->{port}";
    my $ua = Mojo::UserAgent->new(max_redirects => 5, request_timeout => 30);
    my $password = readable_password();

    $ua->proxy->not([ 'localhost' ]);

    my $tx = $ua->get("$base/clerk/invitations/$who->{token}");
    my $said = sub { die "the invitation of $who->{username}: $_[0] (HTTP "
                         . ($tx->res->code // 'nothing') . ")\n" };

    $said->('no page') if ($tx->res->code // 0) != 200;
    $tx = submit($ua, $tx, { new_password => $password })
        // $said->('no form for the password');

    my $secret = shown_secret($tx->res->text // '')
        // $said->('no TOTP secret is shown');

    $tx = submit($ua, $tx, { code => totp($secret) })
        // $said->('no form for the code');
    $said->('not accepted') if ($tx->res->code // 0) != 200
                               || $tx->res->dom->at('input[name="code"]');

    return { role => $who->{role}, username => $who->{username},
             password => $password, totp_secret => $secret };
}


# Sends the page's form that has all these fields, as a browser would.

sub submit {
    my ($ua, $tx, $values) = @_;

    for my $form ($tx->res->dom->find('form')->each) {
        next if grep { !$form->at("[name=\"$_\"]") } keys %$values;

        my %fields = map { $_->attr('name') => $_->attr('value') // '' }
            $form->find('input[type="hidden"][name]')->each;
        my $action = $form->attr('action') // '';
        my $url = Mojo::URL->new($action)->to_abs($tx->req->url->to_abs);

        return $ua->post($url, form => { %fields, %$values });
    }

    return undef;
}


# 160 bits in base32, in the otpauth address or in groups of four.

sub shown_secret {
    my ($html) = @_;

    return $1 if $html =~ /secret=([A-Z2-7]{32})/;
    $html =~ s/<[^>]*>//g;
    return $html =~ /\b((?:[A-Z2-7]{4}[ ]?){8})(?![A-Z2-7])/
           ? $1 =~ tr/ //dr : undef;
}


# The code of a secret at a time (seconds since 1970; now).

sub totp {
    my ($secret, $time) = @_;
    my $bits = '';

    for my $c (split //, uc $secret =~ tr/ =-//dr) {
        my $n = index 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', $c;
        die "not base32: $secret\n" if $n < 0;
        $bits .= sprintf '%05b', $n;
    }

    my $key = pack 'B*', substr $bits, 0, length($bits) - length($bits) % 8;
    my $hmac = hmac_sha1(pack('Q>', int(($time // time) / 30)), $key);
    my $at = ord(substr $hmac, -1) & 15;

    return sprintf '%06d',
                   (unpack('N', substr $hmac, $at, 4) & 0x7fffffff) % 1e6;
}


# 16 characters that are not taken for one another: 79 bits.

sub readable_password {
    my @set = split //, 'abcdefghjkmnpqrstuvwxyz23456789';

    return join '-', map {
        join '', map { $set[random_below(scalar @set)] } 1 .. 4
    } 1 .. 4;
}


sub random_below {
    my ($n) = @_;

    while (1) {
        my $byte = ord Instance::random_bytes(1);
        return $byte % $n if $byte < 256 - 256 % $n;
    }
}


sub base64url {
    return Instance::base64($_[0]) =~ tr{+/=}{-_}dr;
}


sub quote {
    my ($text) = @_;

    return 'NULL' if !defined $text;
    $text =~ s/'/''/g;
    return "'$text'";
}


1;
