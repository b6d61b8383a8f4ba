package Bench::Files;

# Scans: sending them, 16 at once, beside the disk and the database alone;
# getting one back, beside nginx.

use strict;
use warnings;
use utf8;

use Fcntl;
use IO::Socket::IP;
use Mojo::JSON qw(encode_json);
use Mojo::Util;
use POSIX ();
use Socket ();
use Time::HiRes qw(time);

use Bench;

use constant SENDERS => 16;
use constant PERSONS => 48;
use constant MB => 1 << 20;


sub run {
    my ($report) = @_;
    my $since = time;
    my %at = map { $_ => Instance::free_port() } qw(port provider);
    my $p = Bench::portal(http => <<"END");
correspondence_letters_per_day 1000000;     # 200 is for people, not for us
server { listen 127.0.0.1:$at{port}; location / { root /; } }
server {
    listen 127.0.0.1:$at{provider};
    keepalive_requests 1000000;
    location / {
        default_type application/json;
        return 200 '{"return":{"status":200},"entries":[{"messageid":8792343,"cost":120}]}';
    }
}
END

    Bench::load($p, 10_000);
    downloads($report, $p, \%at);
    Bench::forget_freed($p, $since);
    uploads($report, $p, \%at);
    Bench::stop($p);
}


# A JPEG as far as anyone looks, no two alike.

sub scan {
    my ($size) = @_;
    my $head = "\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
        . "\xff\xc0\0\x11\x08\x06\xdb\x04\xda\3\1\x22\0\2\x11\1\3\x11\1"
        . "\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0";
    my $bytes = Instance::random_bytes($size - length($head) - 2);

    $bytes =~ tr/\xff/\xfe/;
    return "$head$bytes\xff\xd9";
}


sub downloads {
    my ($report, $p, $at) = @_;
    my $who = Bench::person($p, 0);
    my $b = $who->{browser};
    my $code = $b->send_letter(files => [ [ 'scan.jpg', scan(5 * MB),
                                            'image/jpeg' ] ]);

    $p->owner('ANALYZE');

    my ($file) = $p->sql('SELECT id, encode(sha256, \'hex\') AS sha
                            FROM files ORDER BY created_at DESC LIMIT 1');
    my ($path) = grep { -s $_ == 5 * MB }
                 glob $p->dir . "/store/{*/,}{*/,}*$file->{sha}*"
                              . ' ' . $p->dir . '/store/*/*/*';

    die "the stored file is not found\n" if !$path;

    my $url = 'http://127.0.0.1:' . $p->port . "/desk/files/$file->{id}";
    my %o = (headers => { Cookie => Bench::cookie($b) }, connections => 16);
    my $r = Bench::pairs(
        sub { Bench::wrk($url, %o)->{rate} * 5 },
        sub { Bench::wrk("http://127.0.0.1:$at->{port}$path", %o)->{rate}
              * 5 });

    $report->('downloading a 5 MB scan', %$r, unit => 'MB/s', least => 0.9,
              of => 'nginx serving the file itself');
}


sub uploads {
    my ($report, $p, $at) = @_;
    my @who = map { Bench::person($p, 0) } 1 .. PERSONS;

    for my $b (map { $_->{browser} } @who) {
        $b->get('/desk/letters/new')->expect(200, 'the form');
    }

    plain_provider($p, $at->{provider});
    Bench::fill_memory($p);
    settle($p, @who);

    my $ours = sub { calm($p); letter_rate($p, @who) };
    my $disk = Bench::pairs($ours, sub { calm($p); disk_rate($p) });
    my $rows = Bench::pairs($ours, sub { calm($p); row_rate($p, @who) });
    my ($slower, $what) = $disk->{reference} < $rows->{reference}
        ? ($disk, 'writing and fsyncing the same bytes')
        : ($rows, 'pgbench inserting the same rows');

    $report->('sending a 1 MB scan, 16 at once', %$slower, least => 0.5,
              unit => 'letters/s', of => "$what (the slower of the two)");

    my ($other, $named) = $slower == $disk
        ? ($rows, 'pgbench inserting the same rows')
        : ($disk, 'writing and fsyncing the same bytes');

    $report->('sending a 1 MB scan, 16 at once', %$other,
              unit => 'letters/s', of => "$named (the faster)");
}


# From here on messages go to an address that takes them all.  The sandbox
# is a program in Perl that keeps each of them, on our processors: no
# provider's is.

sub plain_provider {
    my ($p, $port) = @_;
    my $sandbox = $p->instance->{gateway_port};

    $p->configure(replace => [
        @{ $p->{options}{replace} },
        [ qr{http://127\.0\.0\.1:$sandbox(?=/v1/)}m,
          "http://127.0.0.1:$port" ]
    ]);
    $p->reload or die "nginx was not reloaded\n";
}


# Some of our own letters stand beside those of others; then PostgreSQL is told
# how many there are.  While it takes tables for empty it reads them from end to
# end, and each letter costs more than the one before it.

sub settle {
    my ($p, @who) = @_;

    letter_rate($p, @who);
    $p->owner('ANALYZE');
}


# What one side left to be sent and sealed is not done in the other's time:
# the rows alone come with as many messages as the letters.

sub calm {
    my ($p) = @_;

    Portal::wait_until(60, sub {
        !$p->value("SELECT count(*) FROM messages
                     WHERE state IN ('queued', 'sending')")
        && !$p->value('SELECT count(*) FROM audit_pending');
    }) or die "messages or lines of the audit stay behind\n";
}


# As many processes as there are senders; how many things a second they did.
# $do->($n, $end) does as many as it can until then.  They begin together, when
# the last one is there: pgbench does not count its beginning either.

sub crowd {
    my ($do) = @_;
    my ($sum, @pipes, @pids) = (0);

    pipe my $gate, my $open or die "pipe: $!\n";

    for my $n (0 .. SENDERS - 1) {
        pipe my $read, my $write or die "pipe: $!\n";

        my $pid = fork // die "fork: $!\n";

        if (!$pid) {
            close $open;
            sysread $gate, my $nothing, 1;
            syswrite $write, eval { $do->($n, time + $Bench::Seconds) }
                             // "$@";
            POSIX::_exit(0);
        }

        push @pids, $pid;
        push @pipes, $read;
    }

    close $open;

    for my $pipe (@pipes) {
        my $said = <$pipe> // 'nothing';

        die "a sender said: $said" if $said !~ /^\d+$/;
        $sum += $said;
    }

    waitpid $_, 0 for @pids;     # the portal's processes are ours as well
    return $sum / $Bench::Seconds;
}


sub letter_rate {
    my ($p, @who) = @_;

    return crowd(sub { send_letters($p, $_[1], @who[ grep {
        $_ % SENDERS == $_[0] } 0 .. $#who ]) });
}


# No two scans alike, and each letter made of two pieces, the second of which
# is always the same, and in the memory of all senders once: what it costs to
# send is little more than the kernel's.

my $scan = scan(MB - 32);
my ($jpeg, $rest) = unpack 'a72 a*', $scan;

$rest .= "\r\n--letter--\r\n";

sub send_letters {
    my ($p, $end, @who) = @_;
    my $run = unpack 'H*', Instance::random_bytes(8);
    my $socket = IO::Socket::IP->new(PeerHost => '127.0.0.1',
                                     PeerPort => $p->port) or die "$@\n";
    my ($n, $done) = (0, 0);

    $socket->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);

    while (1) {
        my $who = $who[$n % @who];
        my $key = $run . sprintf '%016x', $n++;
        my $form = form($who->{browser}->csrf, $key) . $jpeg . $key;

        write_all($socket, "POST /desk/letters HTTP/1.1\r\n"
                  . "Host: localhost\r\nCookie: $who->{cookie}\r\n"
                  . "Content-Type: multipart/form-data; boundary=letter\r\n"
                  . 'Content-Length: ' . (length($form) + length $rest)
                  . "\r\n\r\n$form");
        write_all($socket, $rest);
        taken($socket);

        return $done if time >= $end;
        $done++;
    }
}


sub form {
    my ($csrf, $key) = @_;
    my %field = (csrf => $csrf, submission_key => $key,
                 person_kind => 'natural', address => 'تهران',
                 subject => 'درخواست', body => 'متن درخواست');

    return Mojo::Util::encode('UTF-8', join '', map {
        "--letter\r\nContent-Disposition: form-data; name=\"$_\"\r\n\r\n"
        . "$field{$_}\r\n" } sort keys %field)
        . "--letter\r\nContent-Disposition: form-data; name=\"file\"; "
        . "filename=\"scan.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";
}


sub write_all {
    my ($socket, $bytes) = @_;
    my $at = 0;

    while ($at < length $bytes) {
        $at += syswrite($socket, $bytes, length($bytes) - $at, $at)
            // die "the connection broke: $!\n";
    }
}


# Only what is answered with 303, which has no body, is a letter.

sub taken {
    my ($socket) = @_;
    my $answer = '';

    until ($answer =~ /\r\n\r\n/) {
        sysread $socket, $answer, 65536, length $answer
            or die "no answer\n";
    }

    die "refused: $answer" =~ s/\r?\n.*//sr . "\n"
        if $answer !~ m{^HTTP/1\.1 303 .*\r\n\r\n\z}s;
}


# The same bytes with the same care, by as many processes: written, synced,
# renamed, the directory synced.  They stay until the portal goes: for minutes
# after, ext4 without a journal looks at each inode that was freed before it
# takes another one, and the other side would pay for it (1.2 ms a letter).

my $disks = 0;

sub disk_rate {
    my ($p) = @_;
    my $dir = $p->dir . "/disk-" . $disks++;

    mkdir $dir;
    return crowd(sub { write_files("$dir/$_[0]", $_[1]) });
}


sub write_files {
    my ($dir, $end) = @_;
    my $bytes = $scan . 'x' x 32;
    my $n = 0;

    mkdir $dir;
    sysopen my $d, $dir, O_RDONLY | O_DIRECTORY or return 0;

    while (time < $end) {
        open my $f, '>:raw', "$dir/new" or return 0;
        syswrite $f, $bytes;
        $f->IO::Handle::sync;
        close $f;
        rename "$dir/new", "$dir/" . ++$n;
        $d->IO::Handle::sync;
    }

    return $n;
}


# What the page sends, in one transaction, by as many clients; no two files
# alike here either.

sub row_rate {
    my ($p, @who) = @_;
    my ($first, $last) = @who[0, -1];
    my $file = encode_json([ { sha256 => 'HASH', size => MB,
                               media_type => 'image/jpeg',
                               name => 'scan.jpg', width => undef,
                               height => undef } ])
               =~ s/":/": /gr;      # pgbench takes ":null" for its own
    my $sql = <<"END";
\\set person random($first->{id}, $last->{id})
BEGIN;
SELECT guard_person(id, session_epoch, 3, '127.0.0.1') FROM persons
 WHERE id = :person;
SELECT tracking_code FROM letter_submit(
    replace(gen_random_uuid()::text, '-', ''), NULL, 'natural', 'تهران',
    'درخواست', 'متن درخواست', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    replace('$file', 'HASH', encode(sha256(uuid_send(gen_random_uuid())), 'hex'))
        ::jsonb, '{"tracking_digits": 8, "letters_day": 1000000}', NULL);
COMMIT;
END
    return Bench::pgbench_script($p, $sql, clients => SENDERS)->{rate};
}

1;
