package Bench::Million;

# The secretariat's pages with 10,000 letters and with a million.  Loading a
# million takes minutes and some gigabytes: only when asked for.

use strict;
use warnings;
use utf8;

use Time::HiRes qw(time);

use Bench;


use constant SIZES => (1_000_000, 10_000);

# 400 letters have it where 10 had it, and 50 where one had it: whoever finds
# and shows more takes longer

use constant MANY => (
    'search by a name of many' => 'علی خانواده77',
    'search by a rare word of many' => 'واژه777',
);


sub run {
    my ($report) = @_;
    my @portals = map { loaded($_) } SIZES;
    my %many = MANY;

    for my $who (qw(clerk expert)) {
        my @seen = map { seen($_, $who) } @portals;

        for my $i (0 .. $#{ $seen[0] }) {
            my ($big, $small) = map { $_->[$i] } @seen;

            for my $what (qw(page database)) {
                my $r = Bench::pairs($big->{$what}, $small->{$what});

                $report->("$big->{name}, $what at 1,000,000 letters", %$r,
                          unit => 'ms', of => 'at 10,000',
                          $what eq 'page' && !$many{$big->{name}}
                              ? (most => 1.3) : ());
            }
        }
    }

    Bench::stop($_) for @portals;
}


# Both stand at once, so that pages take turns.  What loading left to be
# written must not be written meanwhile.

sub loaded {
    my ($letters) = @_;
    my $p = Bench::portal(postgres => [ 'shared_buffers=1GB',
                                        'max_wal_size=8GB' ]);

    # they own a part of what is loaded
    $p->staff($_) for qw(clerk expert);
    Bench::load($p, $letters);
    $p->db->do('CHECKPOINT');

    return $p;
}


# What somebody looks at: { name, page, database }, both subs that measure.

sub seen {
    my ($p, $who) = @_;
    my $b = $p->browser->clerk_login($who);
    my $id = staff($p, $who);

    return [ map {
        my ($name, $path, @call) = @$_;
        my $list = [ $call[0] => $id, @call[1 .. $#call] ];

        page($p, $b, $path, 2);
        { name => $name, page => sub { page($p, $b, $path) },
          database => sub { database($p, [ clerk_tabs => $id, 499 ], $list) } }
    } pages($b, $who) ];
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
        ? ('expert: search by a word' => 'شکایت')
        : ('search by code' => '100000777', 'search by a word' => 'گمرک',
           'search by a rare word' => 'یکتا',
           'search by a name' => 'علی یگانه', MANY);

    for my $what (sort keys %search) {
        $b->get('/clerk/');
        $b->post('/clerk/search', { q => $search{$what} })
          ->expect(303, 'search');
        push @pages, [ $what, $b->location =~ s{^https?://[^/]+}{}r,
                       clerk_search => $search{$what}, undef, 26, @none ];
    }

    return @pages;
}


# Two at a time: what a clerk waits.

sub page {
    my ($p, $b, $path, $seconds) = @_;

    return Bench::wrk('http://127.0.0.1:' . $p->port . $path,
                      connections => 2, seconds => $seconds // $Bench::Seconds,
                      headers => { Cookie => Bench::cookie($b) })->{p50};
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
