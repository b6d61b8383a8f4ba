package Bench::Million;

# The secretariat's pages with 10,000 letters and with a million.  Loading a
# million takes minutes and some gigabytes: only when asked for.

use strict;
use warnings;
use utf8;

use Bench;


sub run {
    my ($report) = @_;
    my %ms;

    for my $letters (10_000, 1_000_000) {
        my $p = Bench::portal(postgres => [ 'shared_buffers=1GB',
                                            'max_wal_size=8GB' ]);
        my $b = $p->browser;

        Bench::load($p, $letters);
        $b->clerk_login('clerk');

        $ms{$letters}{$_->[0]} = milliseconds($p, $b, $_->[1])
            for pages($b);
        Bench::stop($p);
    }

    for my $what (sort keys %{ $ms{10_000} }) {
        my ($big, $small) = map { $ms{$_}{$what} } 1_000_000, 10_000;

        $report->("$what at 1,000,000 letters", unit => 'ms', ours => $big,
                  reference => $small, of => 'at 10,000',
                  ratio => $big / $small, most => 1.3);
    }
}


# A search is posted, then shown under an opaque id.

sub pages {
    my ($b) = @_;
    my @pages = ([ 'inbox', '/clerk/' ],
                 [ 'inbox, late', '/clerk/?tab=late' ]);
    my %search = ('search by code' => '100000777',
                  'search by a word' => 'گمرک',
                  'search by a rare word' => 'واژه777');

    for my $what (sort keys %search) {
        $b->get('/clerk/');
        $b->post('/clerk/search', { q => $search{$what} })
          ->expect(303, 'search');
        push @pages, [ $what, $b->location =~ s{^https?://[^/]+}{}r ];
    }

    return @pages;
}


# One at a time: what one clerk waits.

sub milliseconds {
    my ($p, $b, $path) = @_;
    my $url = 'http://127.0.0.1:' . $p->port . $path;
    my %o = (connections => 2, headers => { Cookie => Bench::cookie($b) });

    Bench::wrk($url, %o, seconds => 2);
    return Bench::median(map { Bench::wrk($url, %o)->{p50} }
                         1 .. $Bench::Rounds);
}

1;
