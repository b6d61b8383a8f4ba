package Staff;

# The staff of a fresh instance: one of each role, ready to log in.  Also
# TOTP (RFC 6238), for people without an authenticator and for tests.

use strict;
use warnings;
use utf8;

use Digest::SHA qw(hmac_sha1);
use JSON::PP;

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


# Returns [ { role, username, password, totp_secret }, … ].  @more are
# further [ role, name, unit, username ].

sub make_all {
    my ($instance, @more) = @_;
    my (@sql, @list);

    push @sql, map { "SELECT unit_ensure(" . quote($_->[0]) . ', '
                     . quote($_->[1]) . ')' } UNITS;

    for my $who (STAFF, @more) {
        my ($role, $name, $unit, $username) = @$who;
        my $s = { role => $role, username => $username // $role,
                  password => readable_password() };
        my $secrets = secrets($instance, $s);

        $s->{totp_secret} = $secrets->{totp_secret};
        push @list, $s;
        push @sql, 'SELECT staff_create_ready('
                   . join(', ', map { quote($_) } $s->{username}, $name,
                          $role, $unit, $secrets->{password_hash})
                   . ", '\\x$secrets->{totp_encrypted}')";
    }

    owner_sql($instance, @sql);
    return \@list;
}


# What the database keeps of a password and of a new TOTP secret: made with
# the portal's key file.  The password goes through a file of our own, no
# command line.

sub secrets {
    my ($instance, $who) = @_;
    my $file = "$instance->{dir}/keys/password";
    my $error = "$instance->{dir}/logs/staff.log";

    $instance->write_file($file, "$who->{password}\n", 0600);

    my $json = join '', `@{[ map { quotemeta }
        "$instance->{top}/build/corr-staff",
        "$instance->{dir}/keys/portal.key", $who->{username} ]} < \Q$file\E 2>> \Q$error\E`;

    unlink $file;
    return $json ? decode_json($json)
                 : die "corr-staff:\n" . Instance::tail($error);
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
    close $psql or die "the staff could not be made:\n"
                       . Instance::tail($log);
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


sub quote {
    my ($text) = @_;

    return 'NULL' if !defined $text;
    $text =~ s/'/''/g;
    return "'$text'";
}


1;
