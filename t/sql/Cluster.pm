package Cluster;

# A throwaway PostgreSQL for one test: its own directory, socket and data,
# the schema installed by sql/migrate, gone at the end.

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use DBI;
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use POSIX qw(:signal_h :sys_wait_h);

if (Test::More->can('builder')) {
    binmode Test::More->builder->$_, ':encoding(UTF-8)'
        for qw(output failure_output todo_output);
}

our $TOP = abs_path(dirname(__FILE__) . '/../..');

# Whoever is told to stop, or takes too long, may be waiting in libpq, where
# Perl's own handlers are not run: the server is stopped at once, which ends
# the waiting, and then the test.

my %servers;

$SIG{USR1} = sub { exit 1 };

for my $signal (SIGINT, SIGTERM, SIGHUP, SIGALRM) {
    sigaction($signal, POSIX::SigAction->new(sub {
        syswrite STDERR, "# the test takes too long\n"
            if $signal == SIGALRM;
        kill QUIT => keys %servers;
        kill USR1 => $$;
    })) or die "sigaction: $!";
}

alarm($ENV{CORR_TEST_TIMEOUT} // 600);


sub new {
    my ($class, %options) = @_;

    # Sockets have short names: not below a deep checkout.
    my $dir = tempdir('corr-sql-XXXXXX', TMPDIR => 1);
    my $self = bless { dir => $dir, bin => _bin(), pid => $$ }, $class;

    # PostgreSQL refuses to run as root.
    if ($> == 0) {
        my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
        chown $uid, $gid, $dir or die "chown $dir: $!";
        $self->{as} = [ "--reuid=$uid", "--regid=$gid", '--clear-groups' ];
    }

    $self->_initdb;
    $self->_start;

    $self->db('postgres', 'postgres')->do('CREATE DATABASE portal');
    $self->migrate unless $options{bare};

    return $self;
}


sub _bin {
    for my $dir ((split /:/, $ENV{PATH}),
                 reverse sort glob('/usr/lib/postgresql/*/bin'))
    {
        return $dir if -x "$dir/initdb";
    }

    die "initdb is not to be found\n";
}


sub _initdb {
    my ($self) = @_;

    my $as = $self->{as} ? "setpriv @{ $self->{as} }" : '';
    my $args = "-D $self->{dir}/data -U postgres -A trust -N "
               . '--encoding=UTF8 --locale=C.UTF-8';
    my $out = qx{cd / && $as $self->{bin}/initdb $args 2>&1 </dev/null};

    die "initdb: $out" if $?;
}


# Our own child, whom the kernel tells when we die, however that is.
sub _start {
    my ($self) = @_;
    my $dir = $self->{dir};

    my $server = fork // die "fork: $!";

    if ($server == 0) {
        chdir '/';
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/log";
        open STDERR, '>&', \*STDOUT;
        exec 'setpriv', '--pdeathsig', 'QUIT', @{ $self->{as} // [] }, '--',
             "$self->{bin}/postgres", '-D', "$dir/data", '-k', $dir,
             map { ('-c', $_) } 'listen_addresses=', 'fsync=off',
                 'max_connections=120', 'shared_buffers=64MB',
                 'deadlock_timeout=200ms'
            or POSIX::_exit(127);
    }

    $servers{ $self->{server} = $server } = 1;

    for (1 .. 600) {
        last if waitpid($server, WNOHANG) != 0;
        return if eval { $self->db('postgres', 'postgres') };
        select undef, undef, undef, 0.1;
    }

    die "postgres did not start: ", `tail -n 5 $dir/log`;
}


sub _stop {
    my ($self) = @_;

    my $server = $self->{server} // return;

    delete $servers{$server};
    kill QUIT => $server;
    waitpid $server, 0;
}


sub migrate {
    my ($self, $top) = @_;

    $top //= "$TOP/sql";
    my $out = qx{$top/migrate "host=$self->{dir} user=postgres dbname=portal" 2>&1};

    return ($? >> 8, $out) if wantarray;
    die "migrate: $out" if $?;
    return $out;
}


# A connection as the portal (or another role); errors die.
sub db {
    my ($self, $user, $database) = @_;

    $user //= 'correspondence_portal';
    $database //= 'portal';

    my $dbh = DBI->connect(
        "dbi:Pg:dbname=$database;host=$self->{dir}", $user, '',
        { RaiseError => 1, PrintError => 0, PrintWarn => 0, AutoCommit => 1,
          pg_enable_utf8 => 1 });

    $dbh->do('SET search_path = correspondence') if $database eq 'portal';

    return $dbh;
}


sub owner { $_[0]->db('correspondence_owner') }


# The statements that C sends, by name.
sub statement {
    my ($self, $name) = @_;

    $self->{statements} //= do {
        my %found;
        for my $file (glob "$TOP/sql/statements/*.sql") {
            open my $in, '<:encoding(UTF-8)', $file or die "$file: $!";
            my $text = do { local $/; <$in> };
            $found{$1} = $2 while $text =~ /^-- name: (\w+)\n(.*?);\n/msg;
        }
        \%found;
    };

    return $self->{statements}{$name} // die "no statement $name\n";
}


# Runs a named statement; its rows as hashes.
sub call {
    my ($self, $dbh, $name, @params) = @_;

    my $sth = $dbh->prepare_cached($self->statement($name), undef, 3);
    $sth->execute(@params);

    return $sth->fetchall_arrayref({});
}


# A guarded write as a page does it: guard and statement in one transaction.
sub person {
    my ($self, $dbh, $who, $name, @params) = @_;

    return $self->_guarded($dbh, 'person_guard_write',
        [$who->{id}, $who->{epoch} // 1, $who->{level} // 1, '10.0.0.9'],
        $name, @params);
}


sub staff {
    my ($self, $dbh, $who, $name, @params) = @_;

    return $self->_guarded($dbh, 'staff_guard_write',
        [$who->{id}, $who->{epoch} // 1, '', '10.0.0.8'], $name, @params);
}


sub _guarded {
    my ($self, $dbh, $guard, $as, $name, @params) = @_;

    my $rows;

    $dbh->begin_work;

    eval {
        $self->call($dbh, $guard, @$as);
        $rows = $self->call($dbh, $name, @params);
        $dbh->commit;
        1;

    } or do {
        my $error = $@;
        my $state = $dbh->state;
        $dbh->rollback;
        $dbh->{private_state} = $state;
        die $error;
    };

    return $rows;
}


# SQLSTATE and message name of what a piece of code died of: "CR404 not_found".
sub refused {
    my ($self, $dbh, $code) = @_;

    return 'nothing' if eval { $code->(); 1 };

    my ($name) = $@ =~ /ERROR:\s+(\S+)/;
    my $state = $dbh->{private_state} || $dbh->state;
    $dbh->{private_state} = undef;

    return "$state " . ($name // $@);
}


# n processes at once, each with its own connection: $code->($dbh, $i) gives
# one line; all lines come back.  They start together.
sub parallel {
    my ($self, $n, $code) = @_;

    my (@pipes, @kids);

    for my $i (0 .. $n - 1) {
        pipe my $go_r, my $go_w or die;
        pipe my $out_r, my $out_w or die;

        my $pid = fork // die "fork: $!";

        if ($pid == 0) {
            close $go_w;
            close $out_r;
            my $line = eval {
                my $dbh = $self->db;
                syswrite $out_w, "ready\n";
                sysread $go_r, my $byte, 1;
                my $got = $code->($dbh, $i);
                $dbh->disconnect;
                $got;
            };
            $line = "died $@" unless defined $line;
            $line =~ s/\n/ /g;
            utf8::encode($line);
            syswrite $out_w, "$line\n";
            close $out_w;
            require POSIX;
            POSIX::_exit(0);
        }

        close $go_r;
        close $out_w;
        push @pipes, [$go_w, $out_r];
        push @kids, $pid;
    }

    readline $_->[1] for @pipes;
    syswrite $_->[0], 'g' for @pipes;

    my @lines;

    for (@pipes) {
        my $line = readline $_->[1];
        chomp $line if defined $line;
        push @lines, $line // 'nothing';
    }

    waitpid $_, 0 for @kids;

    return @lines;
}


# People and staff for tests ----------------------------------------------------

my $serial = 0;

# A valid national code from a number.
sub national_code {
    my ($n) = @_;

    my $nine = sprintf '%09d', $n;
    my $sum = 0;
    $sum += substr($nine, $_, 1) * (10 - $_) for 0 .. 8;
    my $r = $sum % 11;

    return $nine . ($r < 2 ? $r : 11 - $r);
}


# A person who signed up (and went up to a level): { id, epoch, … }.
sub make_person {
    my ($self, $dbh, %with) = @_;

    $serial++;
    my $n = $with{n} // 100000 + $serial;
    my %who = (
        national_code => national_code($n),
        mobile        => sprintf('0912%07d', $n % 10_000_000),
        browser       => $with{browser} // "browser-$n",
        level         => 1, %with);

    $self->call($dbh, 'signup_request', @who{qw(national_code mobile)},
                '1990-03-21', $who{browser}, "10.1.$n", "code-$n", "secret",
                '{}');
    my $made = $self->call($dbh, 'signup_verify', $who{browser}, "code-$n",
                           '{}', '10.0.0.1')->[0];
    @who{qw(id epoch)} = @$made{qw(person_id session_epoch)};

    $self->identity($dbh, \%who, 'mobile', 'yes') if $who{level} >= 2;
    $self->identity($dbh, \%who, 'registry', 'yes') if $who{level} >= 3;

    return \%who;
}


sub identity {
    my ($self, $dbh, $who, $step, $verdict, %with) = @_;

    return $self->call($dbh, 'identity_result', $who->{id}, $step,
        $who->{national_code}, $with{mobile} // $who->{mobile},
        '1990-03-21', $verdict, $with{reason}, 'double', 'ref-1',
        $verdict eq 'yes' ? ('علی', 'رضایی', 'حسن') : (undef) x 3,
        $with{relay} // 0, '10.0.0.1')->[0];
}


sub make_staff {
    my ($self, $role, %with) = @_;

    my $dbh = $self->owner;
    $serial++;
    $with{unit} //= 'unit1' if $role eq 'expert';
    $dbh->do('SELECT unit_ensure(?, ?)', undef, $with{unit},
             "واحد $with{unit}") if $with{unit};
    my ($id) = $dbh->selectrow_array(
        'SELECT staff_create_ready(?, ?, ?, ?, ?, ?::bytea)', undef,
        $with{username} // "$role$serial", $with{name} // "نام $role$serial",
        $role, $with{unit}, 'hash', 'totp');
    $dbh->do('UPDATE staff SET epoch = 1 WHERE id = ?', undef, $id);
    $dbh->disconnect;

    return { id => $id, epoch => 1, role => $role };
}


# What letter_submit takes: natural, with one file.
sub letter_form {
    my (%with) = @_;

    return ($with{key} // 'key-' . ++$serial . '-' . $$, undef,
            'natural', 'تهران، خیابان یکم', $with{subject} // 'درخواست تأمین آب',
            'متن', (undef) x 7,
            $with{files} // file_list('a'), $with{limits} // '{}', undef);
}


sub legal_form {
    my (%with) = @_;

    return ($with{key} // 'key-' . ++$serial . '-' . $$, undef, 'legal',
            'تهران', 'درخواست شرکت', '', 'شرکت نمونه', '10380284790',
            '12345', '1349873645', '02188776655', $with{position} // 'مدیرعامل',
            $with{checked} // 0, file_list('b'), '{}', undef);
}


sub file_list {
    my @names = @_;

    return '[' . join(',', map {
        sprintf '{"sha256":"%s","size":%d,"media_type":"image/jpeg",'
                . '"name":"%s.jpg"}', unpack('H*', $_ x 32) =~ /^(.{64})/,
                2000 + length, $_
        } @names) . ']';
}


sub send_letter {
    my ($self, $dbh, $who, %with) = @_;

    return $self->person($dbh, $who, 'letter_submit', letter_form(%with))
               ->[0]{tracking_code};
}


sub key { 'key-' . ++$serial . "-$$" }


sub DESTROY {
    my ($self) = @_;

    return if $self->{pid} != $$;

    local ($?, $@);
    $self->_stop;
    remove_tree($self->{dir});
}


1;
