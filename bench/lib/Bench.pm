package Bench;

# What every measurement needs: a private portal in bench mode, a person
# with letters, the load makers, and the pages' own statements for pgbench.
#
# Everything that is compared is measured in pairs that take turns, in the
# same minutes on the same machine; what is reported is the median of the
# pairs' ratios, so that a noisy neighbour spoils one pair and not the row.

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use File::Basename qw(dirname);

my $top;

BEGIN {
    $top = abs_path(dirname(__FILE__) . '/../..');
    unshift @INC, "$top/t/lib";
}

use Portal;

our $Seconds = 5;
our $Rounds = 3;
our $Workers = 2;

sub top { $top }


# A portal as on a server: two workers, fsync on, errors only in the log, no
# access log.  $o{http}, $o{server}, $o{replace}, … as Portal takes them.

sub portal {
    my (%o) = @_;

    delete local $ENV{CORR_ASAN};

    return Portal->new(
        workers => $Workers, level => 'error',
        postgres => [ 'shared_buffers=256MB', @{ $o{postgres} // [] } ],
        redis => [ '--save', '' ],
        replace => [
            [ qr/^    access_log .*;/m, '    access_log off;' ],
            [ qr/worker_connections .*;/m, 'worker_connections 32768;' ],
            [ qr/^worker_processes .*;/m,
              "worker_processes $Workers;\nworker_rlimit_nofile 65536;" ],
            @{ $o{replace} // [] },
        ],
        http => "set_real_ip_from 127.0.0.1;\nreal_ip_header X-Real-IP;\n"
                . ($o{http} // ''),
        map { $o{$_} ? ($_ => $o{$_}) : () } qw(server main proxies sandbox),
    );
}


# Browsers come from an address each, as people do: what is limited is limited
# by address.

sub browser {
    my ($p) = @_;

    return $p->browser(headers => { 'X-Real-IP' => address() });
}


sub address {
    return join '.', 10, map { 1 + int rand 250 } 1 .. 3;
}


# Linux shares the processor between sessions first (autogroup), then between
# the processes of one.  Each backend of PostgreSQL is a session of its own,
# nginx with all its workers and threads is one, and with that a backend that
# could run was seen to wait for 0.2 to 1.7 s.  A server should have it off
# (README.md, "On the server"); what is measured is such a server, where we
# may say so.  ungroup() returns what there was, for regroup(); undef: nothing
# was changed.

use constant AUTOGROUP => '/proc/sys/kernel/sched_autogroup_enabled';

sub grouped { return -e AUTOGROUP && Instance::slurp(AUTOGROUP) != 0 }


sub ungroup {
    return undef if !grouped();
    return regroup(0) ? 1 : undef;
}


sub regroup {
    my ($value) = @_;

    open my $f, '>', AUTOGROUP or return 0;
    print $f "$value\n";
    return close $f;
}


# A server that has run for a day has no free memory, all of it holds files.
# On a virtual machine it matters: memory that is free goes back to the host,
# and each page of a new file is asked of it (README.md, "Sending scans").  A
# file of nothing is read until memory is full; what is written takes its pages
# then.

sub fill_memory {
    my ($p) = @_;
    my $path = $p->dir . '/nothing';
    my $all = memory_kb('MemTotal');
    my $bytes;

    open my $f, '+>:raw', $path or die "$path: $!\n";
    truncate $f, $all * 1024;

    while (memory_kb('MemFree') > $all / 16) {
        sysread $f, $bytes, 1 << 26 or last;
    }
}


sub memory_kb {
    my ($what) = @_;

    return (Instance::slurp('/proc/meminfo') =~ /^$what:\s+(\d+)/m)[0];
}


# ext4 without a journal looks at each inode that was freed in the last minute,
# or in the last six while that is not on the disk, before it takes another one
# (recently_deleted() in the kernel's fs/ext4/ialloc.c).  Where a portal of a
# test or of another family was removed, a new file costs 0.3 to 0.5 ms instead
# of 0.02: one side alone would pay for it.

use constant FREED => 6 * 60;

sub forget_freed {
    my ($p, $since) = @_;
    my $left = $since + FREED - time;
    my ($device, $type) = split ' ',
        `findmnt -n -v -o SOURCE,FSTYPE -T @{[ $p->dir ]}`;
    my ($name) = (abs_path($device // '') // '') =~ m{([^/]+)$};
    my @journal = defined $name ? glob "/proc/fs/jbd2/$name-*" : ();

    return if $left <= 0 || ($type // '') ne 'ext4' || @journal;

    print "  (waits ", int $left, " s until ext4 has forgotten freed inodes)\n";
    sleep $left;
}


# Ends it without a word: what a test would check is not ours.

sub stop {
    my ($p) = @_;

    $p->{db}->disconnect if $p->{db};
    $p->instance->stop;
    $_->stop for values %{ $p->{proxies} };
    $p->{stopped} = 1;
}


# Somebody of level 3 with so many letters, logged in.  Each letter has been
# registered and answered, its messages delivered.
# Returns { browser, id, epoch, cookie, code }.

sub person {
    my ($p, $letters) = @_;
    my $b = browser($p);
    my $who = $b->signup;
    my ($row) = $p->sql('SELECT id, session_epoch FROM persons
                          WHERE national_code = ?', $who->{national_code});

    $p->owner("UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
               first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'
               WHERE id = $row->{id}", letters($row->{id}, $letters),
              'ANALYZE');

    return {
        browser => $b, id => $row->{id}, epoch => $row->{session_epoch},
        cookie => cookie($b),
        code => $p->value('SELECT tracking_code FROM letters
                            WHERE person_id = ? ORDER BY id DESC LIMIT 1',
                          $row->{id}),
    };
}


sub letters {
    my ($person, $n) = @_;

    return () if !$n;
    return (<<"END", <<"END", <<"END");
INSERT INTO letters (tracking_code, person_id, created_at, person_kind,
    first_name, last_name, father_name, birth_date, national_code, mobile,
    address, subject, body, status, registered_at, first_answer_at,
    answered_at, seen_at, file_count)
SELECT (900000000 + $person * 1000 + n)::text, p.id,
       now() - n * interval '1 day', 'natural', p.first_name, p.last_name,
       p.father_name, p.birth_date, p.national_code, p.mobile,
       'تهران، خیابان آزادی، کوچه نهم، پلاک ۱۲',
       'درخواست تمدید پروانه کسب شماره ' || n,
       'با سلام، خواهشمند است دستور فرمایید پروانه این‌جانب تمدید شود.',
       'answered', now(), now(), now(), now(), 1
  FROM persons AS p, generate_series(1, $n) AS n WHERE p.id = $person
END
INSERT INTO events (letter_id, at, kind, actor, visibility, body)
SELECT l.id, l.created_at + k.n * interval '1 hour', k.kind, k.actor,
       'citizen', CASE k.kind WHEN 'reply' THEN
           'درخواست شما بررسی شد و پروانه تا پایان سال آینده تمدید گردید.'
           ELSE '' END
  FROM letters AS l,
       (VALUES (0, 'letter_sent', 'person'), (1, 'registered', 'staff'),
               (5, 'reply', 'staff')) AS k (n, kind, actor)
 WHERE l.person_id = $person
END
INSERT INTO messages (event_id, mobile, template, params, state)
SELECT e.id, l.mobile, 'letter_answered', '{}', 'delivered'
  FROM events AS e JOIN letters AS l ON l.id = e.letter_id
 WHERE l.person_id = $person
END
}


# Other people's letters, so that statements meet tables of a real size.

sub load {
    my ($p, $letters) = @_;

    local %ENV = (%ENV, %{ $p->instance->postgres_environment });

    system('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-v', "letters=$letters",
           '-o', '/dev/null', '-f', "$top/bench/load-letters.sql") == 0
        or die "the letters could not be loaded\n";
}


# What a browser would send back.

sub cookie {
    my ($browser) = @_;

    return join '; ', map { $_->name . '=' . $_->value }
           @{ $browser->ua->cookie_jar->all };
}


# wrk: { rate, p50, p99 (milliseconds), bad }.  Options: connections 64,
# seconds, headers { Cookie => … }.

sub wrk {
    my ($url, %o) = @_;
    my $n = $o{connections} // 64;
    my @headers = map { ('-H', "$_: $o{headers}{$_}") }
                  sort keys %{ $o{headers} // {} };

    my %r = report('wrk', '-t', 2, '-c', $n, '-d', ($o{seconds} // $Seconds)
                   . 's', @headers, '-s', "$top/bench/report.lua", $url);

    die "$url: $r{bad} of $r{requests} answers were bad\n"
        if $r{bad} && !$o{any};
    return \%r;
}


sub report {
    my (@command) = @_;

    open my $f, '-|', @command or die "$command[0]: $!\n";
    my %r = map { /^report (\w+) ([\d.]+)$/ ? ($1 => $2) : () } <$f>;
    close $f or die "$command[0] failed\n";
    return %r;
}


# pgbench on a page's statements: [ [ name, values… ], … ], asked of the
# server as the portal's own role.  pipelined: as the page sends them, one
# round trip; else one after the other.  Returns { rate }.

sub pgbench {
    my ($p, $calls, %o) = @_;
    my ($script, @values) = script($calls, $o{pipelined} // 1);

    return pgbench_script($p, $script, %o, values => \@values);
}


sub pgbench_script {
    my ($p, $script, %o) = @_;
    my $file = $p->dir . '/pgbench.sql';
    my $said = $p->dir . '/pgbench.log';

    open my $f, '>:encoding(UTF-8)', $file or die "$file: $!\n";
    print $f $script;
    close $f or die "$file: $!\n";

    local $ENV{PGOPTIONS} = '-c search_path=correspondence -c TimeZone=UTC';

    my @command = (pgbench_bin(), '-n', '-M', 'prepared', '-c',
                   $o{clients} // 8, '-j', 2, '-T', $o{seconds} // $Seconds,
                   '-h', $p->instance->{sockets}, '-U',
                   'correspondence_portal',
                   (map { ('-D', $_) } @{ $o{values} // [] }),
                   '-f', $file, 'correspondence');
    my $shell = join ' ', map { quotemeta } @command;
    my $out = `$shell 2>$said`;

    my ($rate) = $out =~ /^tps = ([\d.]+)/m
        or die "pgbench: $out" . Instance::tail($said);
    return { rate => $rate };
}


sub pgbench_bin { Instance::postgres_bin('/none') . '/pgbench' }


sub script {
    my ($calls, $pipelined) = @_;
    my $text = statements();
    my ($script, @values, $n) = ('');

    for my $call (@$calls) {
        my ($name, @params) = @$call;
        my $sql = $text->{$name} // die "there is no statement $name\n";
        my @names = map { 'v' . ++$n } @params;

        push @values, map { "$names[$_]=$params[$_]" } 0 .. $#params;
        $sql =~ s/\$(\d+)/:$names[$1 - 1]/g;
        $script .= "$sql\n";
    }

    $script = "\\startpipeline\n$script\\endpipeline\n" if $pipelined;
    return ($script, @values);
}


# All that the module sends, by name.

sub statements {
    my %text;

    for my $file (glob "$top/sql/statements/*.sql") {
        open my $f, '<:encoding(UTF-8)', $file or die "$file: $!\n";

        my $name;
        while (<$f>) {
            $name = $1, next if /^-- name: (\w+)/;
            next if /^\s*--/ || !defined $name;
            $text{$name} .= $_;
            undef $name if /;\s*$/;
        }
    }

    return \%text;
}


# Takes turns; each gives a number.  Returns { ours, reference, ratio,
# low, high }: medians, and the extremes of the pairs' ratios.

sub pairs {
    my ($ours, $reference, $rounds) = @_;
    my (@a, @b, @ratio);

    for my $round (1 .. $rounds // $Rounds) {

        # whoever comes first finds the caches as the other left them

        if ($round % 2) {
            push @a, $ours->();
            push @b, $reference->();
        } else {
            push @b, $reference->();
            push @a, $ours->();
        }

        push @ratio, $b[-1] ? $a[-1] / $b[-1] : 0;
    }

    @ratio = sort { $a <=> $b } @ratio;
    return { ours => median(@a), reference => median(@b),
             ratio => median(@ratio), low => $ratio[0],
             high => $ratio[-1] };
}


sub median {
    my @v = sort { $a <=> $b } @_;

    return @v % 2 ? $v[$#v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}


# Memory of processes: kilobytes that are theirs alone (Private_*), which
# what the master shares with them does not blur.

sub memory {
    my $sum = 0;

    for my $pid (@_) {
        my $text = Instance::slurp("/proc/$pid/smaps_rollup");
        $sum += $1 while $text =~ /^Private_\w+:\s+(\d+) kB/mg;
    }

    return $sum;
}


sub processor_seconds {
    my ($pid) = @_;
    my $stat = Instance::slurp("/proc/$pid/stat") =~ s/^.*\) //r;
    my @f = split ' ', $stat;

    return ($f[11] + $f[12]) / 100;
}

1;
