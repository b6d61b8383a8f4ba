package Bench::Pages;

# Pages a citizen reads, beside what only the database, or only nginx,
# would do.

use strict;
use warnings;
use utf8;

use Bench;


# What each page sends, as its step in src/pages does.

sub list_calls {
    my ($who) = @_;

    return [ guard($who), [ 'letters_list', $who->{id}, 20, 0 ],
             [ 'letters_count', $who->{id} ] ];
}


sub letter_calls {
    my ($who) = @_;

    return [ guard($who), map { [ $_, $who->{id}, $who->{code} ] }
             qw(letters_show letters_files letters_events letters_event_files
                letters_correction) ];
}


sub guard {
    my ($who) = @_;

    return [ 'person_guard', $who->{id}, $who->{epoch} ];
}


sub run {
    my ($report) = @_;
    my %page;
    my $p = Bench::portal();

    Bench::load($p, 10_000);

    my $who = Bench::person($p, 20);
    my $base = 'http://127.0.0.1:' . $p->port;

    # now that the pages are there, the reference can say the same bytes

    $page{$_} = body($base, $_) for qw(/ /signup);
    $p->configure(http => $p->{options}{http} . reference(\%page));
    $p->reload;

    database($report, $p, $who, $base);
    static_bytes($report, $p, $base, \%page);
    Bench::stop($p);
}


sub database {
    my ($report, $p, $who, $base) = @_;
    my $headers = { Cookie => $who->{cookie} };

    for my $row ([ '/desk/letters, 20 rows', '/desk/letters',
                   list_calls($who) ],
                 [ 'one letter with its thread',
                   "/desk/letters/$who->{code}", letter_calls($who) ]) {
        my ($what, $path, $calls) = @$row;
        my (@tail, @p50, @p99);

        my $page = sub {
            my $r = Bench::wrk($base . $path, headers => $headers);

            push @tail, $r->{p99} / $r->{p50};
            push @p50, $r->{p50};
            push @p99, $r->{p99};
            return $r->{rate};
        };

        Bench::wrk($base . $path, headers => $headers, seconds => 1);

        for my $pipelined (0, 1) {
            my $r = Bench::pairs($page, sub {
                Bench::pgbench($p, $calls, pipelined => $pipelined)->{rate}
            });

            $report->($what, unit => 'pages/s', %$r,
                      $pipelined ? () : (least => 0.65),
                      of => 'pgbench -M prepared -c 8 -j 2, its '
                            . @$calls . ' statements'
                            . ($pipelined ? ' in one pipeline'
                                          : ', one by one'));
        }

        $report->("p99 of $path", unit => 'ms', most => 4,
                  ours => Bench::median(@p99),
                  reference => Bench::median(@p50), of => 'its p50',
                  ratio => Bench::median(@tail));
    }
}


sub static_bytes {
    my ($report, $p, $base, $page) = @_;

    for my $path (grep { m{^/} } sort keys %$page) {
        my $r = Bench::pairs(
            sub { Bench::wrk($base . $path)->{rate} },
            sub { Bench::wrk("http://127.0.0.1:$page->{port}$path")->{rate} });

        $report->($path eq '/' ? 'home page' : 'sign-up form', %$r,
                  unit => 'pages/s', least => 0.5, of => 'nginx return 200 of '
                  . length($page->{$path}) . ' bytes');
    }
}


sub body {
    my ($base, $path) = @_;
    my $ua = Mojo::UserAgent->new;

    $ua->proxy->http(undef);
    return $ua->get($base . $path)->result->body;
}


# A second server of the same nginx.  A parameter may have 4,096 bytes, so
# the bodies come in pieces; "geo" knows no variables in them.

sub reference {
    my ($page) = @_;
    my ($geo, $locations, $n) = ('', '', 0);

    $page->{port} //= Instance::free_port();

    for my $path (grep { m{^/} } sort keys %$page) {
        my @pieces = unpack '(a3000)*', $page->{$path};
        my $body = '';

        for my $piece (@pieces) {
            my $text = $piece =~ s/([\\"])/\\$1/gr;

            $n++;
            $geo .= "geo \$piece$n { default \"$text\"; }\n";
            $body .= "\$piece$n";
        }

        $locations .= "location = $path { default_type text/html;"
                      . " return 200 \"$body\"; }\n";
    }

    return "$geo server { listen 127.0.0.1:$page->{port};\n$locations }\n";
}

1;
