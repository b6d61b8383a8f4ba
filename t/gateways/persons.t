#!/usr/bin/perl

# Shahkar, civil registry and company gateways of dev/gateways, each against
# a double of its provider: yes, no, unknown, and what is taken.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use File::Temp qw(tempdir);
use Portal::Doubles;
use Portal::Probe;
use Test::More;

my $dir = tempdir(CLEANUP => 1);

# a private key for the double, its public half for us: by jose and openssl

system("jose jwk gen -i '{\"kty\":\"EC\",\"crv\":\"P-521\"}' -o $dir/key.jwk") == 0
    && system("jose jwk pub -i $dir/key.jwk -o $dir/public.jwk") == 0
    or die "jose (the command line tool) is missing\n";
open my $f, '<', "$dir/public.jwk" or die;
chomp(my $public = <$f>);

my $d = Portal::Doubles->new(key => "$dir/key.jwk");
my %secrets = (%Portal::Doubles::secrets, 'pgsb.pem' => $public);
my %ask = (national_code => '1234567891', mobile => '09121234561',
           birth_date => '1370/02/03');


sub probe {
    my ($name, %o) = @_;

    my $p = Portal::Probe->new(conf => $d->conf($name),
                               secrets => \%secrets, %o);
    $d->forget;
    $d->quiet;
    return $p;
}


sub secrets_of {
    my ($p) = @_;
    # what must not be in the log: everything but the public key
    delete $p->{secrets}{'pgsb.pem'};
    return map { $ask{$_} } qw(national_code mobile);
}


my @shahkar = (
    [ pgsb => '/api/client/.*matching' ],
    [ 'pgsb-encrypted' => '/api/client/.*encrypted' ],
    [ gsb => '/api/shahkar' ],
    [ zibal => '/v1/facility/shahkarInquiry' ],
    [ zohal => '/api/v0/services/inquiry/shahkar' ],
    [ jibit => '/ide/v1/services/matching' ],
    [ finnotech => '/facility/.*verify' ],
    [ uid => '/api/inquiry/mobile/owner/v2' ],
);

for my $case (@shahkar) {
    my ($name, $path) = @$case;

    subtest "shahkar, $name" => sub {
        local $secrets{'pgsb.pem'} = $public;
        my $p = probe($name);
        my $r = $p->ask(shahkar => \%ask);

        is $r->{verdict}, 'yes', 'yes' or diag explain $r, $p->log_text =~ /(.*warn.*)/;
        is $r->{provider}, $name, 'who said it';

        $r = $p->ask(shahkar => { %ask, mobile => '09121234560' });
        is $r->{verdict}, 'no', 'no';
        is $r->{reason}, 'mismatch', 'its reason';

        my $n = $d->requests($path);
        is $n, 2, 'each was asked once';

        # HTTP 200 alone is never a yes, nor is half a yes

        for my $body ({}, [], { result => 1 }, { status => 'DONE' },
                      { isSuccessful => \1, responseText => '{"response":' },
                      { matched => undef }, { isMatched => 'yes' })
        {
            $d->say(path => $path, json => $body, times => 1);
            $r = $p->ask(shahkar => \%ask);
            is $r->{verdict}, 'unknown', 'an odd answer is unknown'
                or diag explain $r;
        }

        $d->say(path => $path, text => "\0\xff[[{", times => 1);
        is $p->ask(shahkar => \%ask)->{verdict}, 'unknown', 'garbage';
        $d->say(path => $path, status => 500, text => 'x', times => 1);
        is $p->ask(shahkar => \%ask)->{verdict}, 'unknown', 'HTTP 500';
        # twice: libcurl repeats a GET on a connection that was kept

        $d->say(path => $path, drop => 1, times => 2);
        is $p->ask(shahkar => \%ask)->{verdict}, 'unknown', 'hung up';
        $d->quiet;
        is $p->ask(shahkar => \%ask)->{verdict}, 'yes', 'and yes again';

        $p->done(secrets_of($p));
    };
}

subtest 'shahkar, estelaam' => sub {
    my $p = probe('estelaam');
    my %named = (%ask, first_name => 'زهرا', last_name => 'موسوی',
                 father_name => 'علی "و"');

    is $p->ask(shahkar => \%named)->{verdict}, 'yes', 'yes';
    my ($sent) = $d->requests('/rest/.*');
    is Mojo::JSON::decode_json(Mojo::Util::encode('UTF-8', $sent->{body}))
           ->{fatherName}, 'علی "و"', 'a name with quotes arrives';
    is $p->ask(shahkar => { %named, birth_date => '1300/01/01' })->{verdict},
       'no', 'no';
    is $p->ask(shahkar => \%ask)->{reason}, 'none',
       'without the names it is not asked';
    $p->done(secrets_of($p));
};

# what the request says, to the letter

subtest 'PGSB: values, request id, three credentials, token' => sub {
    my $p = probe('pgsb');
    my $before = time;

    $p->ask(shahkar => \%ask) for 1 .. 3;

    my @r = $d->requests('/api/client/.*');
    my $h = $r[0]{headers};
    my ($year, @rest) = do {
        my @t = gmtime($before + 12600);
        ($t[5] + 1900, $t[4] + 1, $t[3], $t[2]);
    };

    like $r[0]{body}, qr/^\{"requestId":"1234$year\d{16}","serviceNumber":"09121234561","serviceType":2,"identificationType":0,"identificationNo":"1234567891"\}$/,
         'the body';
    like $r[0]{body}, qr/"requestId":"1234@{[sprintf '%04d%02d%02d%02d',
         $year, @rest]}/, 'Tehran time in the id';
    isnt(($r[0]{body} =~ /"(1234\d{20})"/)[0],
         ($r[1]{body} =~ /"(1234\d{20})"/)[0], 'each its own id');
    is $h->{'Content-Type'}, 'application/json', 'type';
    is scalar($d->requests('/oauth/token')), 1, 'one token for all';

    my ($t) = $d->requests('/oauth/token');
    is $t->{body}, 'grant_type=password&username=correspondence&password=p%26ss%3Dw%25rd',
       'a secret is encoded for a form';
    $p->done(secrets_of($p));
};

my @registry = (
    [ zibal => '/v1/facility/nationalIdentityInquiry' ],
    [ zohal => '/api/v0/services/inquiry/national_identity_inquiry' ],
    [ uid => '/api/inquiry/person/v2' ],
);

for my $case (@registry) {
    my ($name, $path) = @$case;

    subtest "registry, $name" => sub {
        my $p = probe($name);
        my $r = $p->ask(registry => \%ask);

        is $r->{verdict}, 'yes', 'yes' or diag explain $r;
        is_deeply [ @{ $r->{taken} }{qw(first_name last_name father_name)} ],
                  [ 'امیر', 'حمیدی', 'کاظم' ], 'names, folded';

        $r = $p->ask(registry => { %ask, birth_date => '1300/01/01' });
        is $r->{verdict}, 'no', 'another birth date';
        is $r->{reason}, 'mismatch', 'reason';

        $r = $p->ask(registry => { %ask, national_code => '9234567891' });
        is $r->{verdict}, 'no', 'of a dead one';
        is $r->{reason}, 'dead', 'reason';

        $d->say(path => $path, json => {}, times => 1);
        is $p->ask(registry => \%ask)->{verdict}, 'unknown', 'nothing said';
        $p->done(secrets_of($p));
    };
}

subtest 'registry, jibit: similarity' => sub {
    my $p = probe('jibit');
    my %typed = (%ask, first_name => 'زهرا', last_name => 'موسوی');

    my $r = $p->ask(registry => \%typed);
    is $r->{verdict}, 'yes', 'alike' or diag explain $r;
    my ($q) = $d->requests('/ide/v1/services/identity/similarity');
    like $q->{query}, qr/birthDate=13700203&/, 'the date in one piece';
    is $p->ask(registry => { %typed, first_name => 'زهره' })->{verdict},
       'unknown', 'between: nobody says';
    is $p->ask(registry => { %typed, first_name => 'علی' })->{verdict}, 'no',
       'not alike';
    is $p->ask(registry => { %typed, last_name => 'x&y=z' })->{verdict},
       'no', 'a name cannot add to the query';
    is $p->ask(registry => \%ask)->{reason}, 'none', 'needs the names';
    $p->done(secrets_of($p));
};

for my $case ([ zohal => 1 ], [ ilenc => 1 ]) {
    my ($name) = @$case;

    subtest "company, $name" => sub {
        my $p = probe($name);
        my $r = $p->ask(company => { company_national_id => '10380284791' });

        is $r->{verdict}, 'yes', 'yes' or diag explain $r;
        is $r->{taken}{name}, 'شرکت نمونه', 'its name, folded';
        is $r->{taken}{registration_number}, '4321', 'a number or a text';
        is $r->{taken}{postal_code}, '1345678901', 'postal code';
        is $p->ask(company => { company_national_id => '10380284790' })
             ->{verdict}, 'no', 'there is none';
        is $p->ask(company => { company_national_id => '1' })->{verdict},
           'unknown', 'a refusal of the question is no answer';
        $p->done;
    };
}

done_testing;
