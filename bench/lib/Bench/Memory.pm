package Bench::Memory;

# What a worker holds: for each upload that is under way, and after many
# pages.  Kilobytes that are the worker's own (Private_* of the kernel).

use strict;
use warnings;
use utf8;

use IO::Socket::INET;
use Time::HiRes qw(sleep);

use Bench;

use constant { UPLOADS => 40, WARM => 50_000, PAGES => 1_000_000 };


sub run {
    my ($report) = @_;
    my $p = Bench::portal(http => "correspondence_uploads_per_hour 0;\n"
                                 . "correspondence_changes_per_hour 0;\n");
    my $who = Bench::person($p, 20);

    pages($report, $p, $who);
    uploads($report, $p, $who);
    Bench::stop($p);
}


sub pages {
    my ($report, $p, $who) = @_;
    my %o = (headers => { Cookie => $who->{cookie} });
    my $base = 'http://127.0.0.1:' . $p->port;
    my @mixed = ('/', '/signup', '/login', '/desk', '/desk/letters',
                 "/desk/letters/$who->{code}", '/desk/letters/new',
                 '/desk/profile', '/desk/tickets', '/nowhere');

    many($base, \@mixed, WARM, %o);
    alone($p, sub { many($base, \@mixed, 0, %o) });

    my $before = Bench::memory($p->workers);

    many($base, \@mixed, PAGES, %o);

    my $after = Bench::memory($p->workers);

    $report->('the workers after 1,000,000 mixed pages', unit => 'KB',
              ours => $after, reference => $before,
              of => 'after 50,000, each worker once with all connections',
              ratio => $after / $before, most => 1.02);
}


# Each worker by itself with all that comes: who takes which connection is
# chance, and the first time that one has them all it takes memory for them.

sub alone {
    my ($p, $load) = @_;
    my @workers = $p->workers;

    for my $one (@workers) {
        my @others = grep { $_ != $one } @workers;

        kill STOP => @others;
        eval { $load->(); 1 } or do { kill CONT => @others; die $@ };
        kill CONT => @others;
    }
}


# So many requests at least, over these paths in turns, each at least once: a
# page that was never asked for has not yet taken what it keeps.

sub many {
    my ($base, $paths, $n, %o) = @_;
    my $done = 0;
    my $i = 0;

    while ($done < $n || $i < @$paths) {
        my $path = $paths->[$i++ % @$paths];
        my $r = Bench::wrk($base . $path, %o, seconds => 1, any => 1);

        $done += $r->{requests};
        select undef, undef, undef, 0.1 if !$r->{requests};
    }
}


# A body each that has come but for its last part: what it costs until then.

sub uploads {
    my ($report, $p, $who) = @_;
    my $b = $who->{browser};

    $b->get('/desk/letters/new')->expect(200, 'the form');

    my ($cookie, $csrf) = (Bench::cookie($b), $b->csrf);

    # what the first ones took is kept, and used again by the next

    my $before = Bench::memory($p->workers);

    for my $size ([ '100 KB', 100 << 10 ], [ '1 MB', 1 << 20 ],
                  [ '20 MB', 20 << 20 ]) {
        my @open = half_sent($p, $cookie, $csrf, $size->[1], UPLOADS);

        sleep 1;

        my $each = (Bench::memory($p->workers) - $before) / UPLOADS;

        close $_ for @open;
        sleep 1;
        $report->("an upload of $size->[0] under way", unit => 'KB',
                  ours => $each, most => 256, of => 'of ' . UPLOADS);
    }
}


sub half_sent {
    my ($p, $cookie, $csrf, $size, $n) = @_;
    my $head = join '', map { "--b\r\nContent-Disposition: form-data; "
                              . "name=\"$_->[0]\"\r\n\r\n$_->[1]\r\n" }
               [ csrf => $csrf ], [ person_kind => 'natural' ],
               [ submission_key => '0' x 32 ];

    $head .= "--b\r\nContent-Disposition: form-data; name=\"file\"; "
             . "filename=\"scan.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";

    my $bytes = 'x' x ($size - 4096);

    return map {
        my $s = IO::Socket::INET->new(PeerHost => '127.0.0.1',
                                      PeerPort => $p->port, Timeout => 10)
            or die "nginx: $!\n";

        print $s "POST /desk/letters HTTP/1.1\r\nHost: localhost\r\n"
            . "Cookie: $cookie\r\nContent-Length: " . (length($head) + $size)
            . "\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n"
            . $head . $bytes;
        $s->flush;
        $s;
    } 1 .. $n;
}

1;
