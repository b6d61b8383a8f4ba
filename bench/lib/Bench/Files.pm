package Bench::Files;

# Scans: sending them, 16 at once, beside the disk and the database alone;
# getting one back, beside nginx.

use strict;
use warnings;
use utf8;

use Fcntl;
use Mojo::JSON qw(encode_json);
use Time::HiRes qw(time);

use Bench;

use constant SENDERS => 16;
use constant PERSONS => 48;        # each may send 200 letters a day
use constant MB => 1 << 20;


sub run {
    my ($report) = @_;
    my %at = (port => Instance::free_port());
    my $p = Bench::portal(http => "server { listen 127.0.0.1:$at{port};"
                                  . " location / { root /; } }");

    downloads($report, $p, \%at);
    uploads($report, $p);
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
    my ($report, $p) = @_;
    my @who = map { Bench::person($p, 0) } 1 .. PERSONS;
    my $list = $p->dir . '/senders';

    open my $f, '>', $list or die "$list: $!\n";
    for my $b (map { $_->{browser} } @who) {
        $b->get('/desk/letters/new')->expect(200, 'the form');
        print $f Bench::cookie($b), "\t", $b->csrf, "\n";
    }

    close $f;

    my $ours = sub { upload_rate($p, $list) };
    my $disk = Bench::pairs($ours, sub { disk_rate($p) });
    my $rows = Bench::pairs($ours, sub { row_rate($p, @who) });
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


sub upload_rate {
    my ($p, $list) = @_;

    # 200 a day is for people, not for us

    $p->owner("UPDATE letters SET created_at = created_at - interval '2 days'
               WHERE created_at > now() - interval '1 day'");

    local $ENV{CORR_SENDERS} = $list;
    my %r = Bench::report('wrk', '-t', 2, '-c', SENDERS, '-d',
                          "${Bench::Seconds}s", '--timeout', '20s', '-s',
                          Bench::top() . '/bench/upload.lua',
                          'http://127.0.0.1:' . $p->port . '/desk/letters');

    die "$r{bad} of $r{requests} letters were refused\n" if $r{bad};
    return $r{rate};
}


# The same bytes with the same care, by as many processes: written, synced,
# renamed, the directory synced.

sub disk_rate {
    my ($p) = @_;
    my $dir = $p->dir . '/disk';
    my @pipes;

    mkdir $dir;

    for my $n (1 .. SENDERS) {
        pipe my $read, my $write or die "pipe: $!\n";

        if (!fork) {
            syswrite $write, write_files("$dir/$n");
            POSIX::_exit(0);
        }

        push @pipes, $read;
    }

    my $sum = 0;

    $sum += <$_> for @pipes;
    1 while waitpid(-1, POSIX::WNOHANG()) > 0;
    system('rm', '-rf', $dir);
    return $sum / $Bench::Seconds;
}


sub write_files {
    my ($dir) = @_;
    my $bytes = scan(MB);
    my $end = time + $Bench::Seconds;
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

    return "$n\n";
}


# What the page sends, in one transaction, by as many clients.

sub row_rate {
    my ($p, @who) = @_;
    my ($first, $last) = @who[0, -1];
    my $file = encode_json([ { sha256 => 'ab' x 32, size => MB,
                               media_type => 'image/jpeg',
                               name => 'scan.jpg', width => undef,
                               height => undef } ])
               =~ s/":/": /gr;      # pgbench takes ":null" for its own
    my $sql = <<"END";
\\set person random($first->{id}, $last->{id})
BEGIN;
SELECT guard_person(:person, $first->{epoch}, 3, '127.0.0.1');
SELECT tracking_code FROM letter_submit(
    replace(gen_random_uuid()::text, '-', ''), NULL, 'natural', 'تهران',
    'درخواست', 'متن درخواست', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    '$file', '{"tracking_digits": 8, "letters_day": 1000000}', NULL);
COMMIT;
END
    return Bench::pgbench_script($p, $sql, clients => SENDERS)->{rate};
}

1;
