package Bench::Million;

# The secretariat's pages with 10,000 letters and with a million.  Loading a
# million takes minutes and some gigabytes: only when asked for.

use strict;
use warnings;
use utf8;

use Time::HiRes qw(time);

use Bench;


sub run {
    my ($report) = @_;
    my %ms;

    for my $letters (10_000, 1_000_000) {
        my $p = Bench::portal(postgres => [ 'shared_buffers=1GB',
                                            'max_wal_size=8GB' ]);

        Bench::load($p, $letters);

        for my $who (qw(clerk expert)) {
            my $b = $p->browser->clerk_login($who);
            my $id = staff($p, $who);

            for my $page (pages($b, $who)) {
                my ($what, $path, @call) = @$page;

                $ms{$letters}{"$what, page"} = page($p, $b, $path);
                $ms{$letters}{"$what, database"}
                    = database($p, [ clerk_tabs => $id, 999 ],
                               [ $call[0] => $id, @call[1 .. $#call] ]);
            }
        }

        Bench::stop($p);
    }

    for my $what (sort keys %{ $ms{10_000} }) {
        my ($big, $small) = map { $ms{$_}{$what} } 1_000_000, 10_000;

        $report->("$what at 1,000,000 letters", unit => 'ms', ours => $big,
                  reference => $small, of => 'at 10,000',
                  ratio => $big / $small, most => 1.3);
    }
}


# The sandbox's expert gets the first of the loaded units.

sub staff {
    my ($p, $who) = @_;

    $p->owner(q{UPDATE staff SET unit_id = (SELECT id FROM units
                WHERE code = 'unit1') WHERE username = 'expert'});

    return $p->value('SELECT id FROM staff WHERE username = ?', $who);
}


# [ what, address, statement of the list, its values behind the staff's id ].
# A search is posted, then shown under an opaque id.

sub pages {
    my ($b, $who) = @_;
    my @none = (undef) x 4;
    my @pages = $who eq 'expert'
        ? ([ 'expert: inbox', '/clerk/', clerk_inbox => '', @none, undef, 26 ])
        : ([ 'inbox', '/clerk/', clerk_inbox => '', @none, undef, 26 ],
           [ 'inbox, mine', '/clerk/?tab=mine',
             clerk_inbox => 'mine', @none, undef, 26 ],
           [ 'inbox, late', '/clerk/?tab=late',
             clerk_inbox => 'late', @none, undef, 26 ]);
    my %search = $who eq 'expert'
        ? ('expert: search by a word' => 'گمرک')
        : ('search by code' => '100000777', 'search by a word' => 'گمرک',
           'search by a rare word' => 'واژه777',
           'search by a name' => 'علی خانواده77');

    for my $what (sort keys %search) {
        $b->get('/clerk/');
        $b->post('/clerk/search', { q => $search{$what} })
          ->expect(303, 'search');
        push @pages, [ $what, $b->location =~ s{^https?://[^/]+}{}r,
                       clerk_search => $search{$what}, undef, 26, @none ];
    }

    return @pages;
}


# One at a time: what one clerk waits.

sub page {
    my ($p, $b, $path) = @_;
    my $url = 'http://127.0.0.1:' . $p->port . $path;
    my %o = (connections => 2, headers => { Cookie => Bench::cookie($b) });

    Bench::wrk($url, %o, seconds => 2);
    return Bench::median(map { Bench::wrk($url, %o)->{p50} }
                         1 .. $Bench::Rounds);
}


# The page's own two statements that look at letters, one after the other.

sub database {
    my ($p, @calls) = @_;
    my $text = Bench::statements();
    my @prepared = map {
        my ($name, @values) = @$_;
        [ $p->db->prepare($text->{$name}), @values ];
    } @calls;

    return Bench::median(map {
        my $from = time;

        for my $call (@prepared) {
            my ($statement, @values) = @$call;

            $statement->execute(@values);
            $statement->fetchall_arrayref;
        }

        1000 * (time - $from);
    } 1 .. 50);
}

1;
