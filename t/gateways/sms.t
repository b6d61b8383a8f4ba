#!/usr/bin/perl

# Gateways of messages of dev/gateways, each against a double of its
# provider: sent, refused, refused for now, no answer; and what became of it.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Portal::Doubles;
use Portal::Probe;
use Test::More;

my $d = Portal::Doubles->new;
my $text = qq(یک پاسخ "برای" شما & 100% {x} +\n\\کد: 12345674);
my $local = 70000;


# name, path of the send, gateway that a plain text goes to, what is refused
# for good (mobile, reason), can it tell about delivery, and by our own
# number, and how it says that it failed

my @providers = (
    [ kavenegar => '/v1/kavekey/sms/send.json', 'kavenegar',
      [ 411 => 'receptor' ], 1, 1, { return => { status => 406 } } ],
    [ magfa => '/api/http/sms/v2/send', 'magfa', [ 27 => 'blacklist' ],
      1, 1, { status => 21 } ],
    [ smsir => '/v1/send/bulk', 'smsir', [ 0 => 'blacklist' ], 1, 0,
      { status => 10 } ],
    [ melipayamak => '/api/SendSMS/SendSMS', 'melipayamak', undef, 1, 0,
      { RetStatus => 35 } ],
    [ ghasedak => '/v2/sms/send/simple', 'ghasedak', undef, 0, 0,
      { result => { code => 420 } } ],
    [ ippanel => '/v1/api/send', 'ippanel', undef, 1, 0,
      { meta => { status => Mojo::JSON->false } } ],
);


sub probe {
    my ($name, %o) = @_;
    $d->forget;
    $d->quiet;
    return Portal::Probe->new(conf => $d->conf($name),
                              secrets => \%Portal::Doubles::secrets, %o);
}


sub message {
    my (%m) = @_;
    return { mobile => '09121234561', text => $text, local_id => ++$local,
             template => 'letter_answered', %m };
}


for my $case (@providers) {
    my ($name, $path, $who, $refused, $tells, $own, $failed) = @$case;

    subtest $name => sub {
        my $p = probe($name);
        my $r = $p->ask(sms => message());

        is $r->{verdict}, 'yes', 'taken' or diag explain $r;
        is $r->{provider}, $who, 'by whom';
        my ($sms) = ($d->sms)[-1];
        is $sms->{text}, $text, 'the text arrives as it is';
        is $sms->{mobile}, '09121234561', 'and the mobile';
        like $r->{reference}, qr/\Q$sms->{id}\E$/, "the provider's id";

        # not taken, for now or for good: it is certain

        if ($refused) {
            my $bad = $name eq 'kavenegar' ? '0912' : '09121234569';
            my $no = $p->ask(sms => message(mobile => $bad));
            is $no->{verdict}, 'no', 'refused for good' or diag explain $no;
            is $no->{reason}, $refused->[1], 'why';
        }

        for my $odd ([ 429, {} ], [ 401, { x => 1 } ], [ 403, undef ],
                     [ 200, $failed ], [ 400, $failed ])
        {
            $d->say(path => $path, status => $odd->[0], json => $odd->[1]);
            my $u = $p->ask(sms => message());
            is $u->{verdict}, 'unknown', "HTTP $odd->[0]";
            is $u->{doubt}, Mojo::JSON->false, 'nobody did anything';
            $d->quiet;
        }

        # nobody knows: what a server that failed says may be half the truth

        for my $odd ([ status => 500, text => 'x' ], [ text => '{"ret' ],
                     [ json => {} ], [ drop => 1 ],
                     map { [ status => $_, json => $failed ] }
                     500, 502, 504, 408, 302)
        {
            my $had = () = $d->requests($path);
            $d->say(path => $path, @$odd);
            my $u = $p->ask(sms => message());
            is $u->{verdict}, 'unknown', "@$odd[0, 1]" or diag explain $u;
            is $u->{doubt}, Mojo::JSON->true, 'it may have been taken';
            my $now = () = $d->requests($path);
            is $now, $had + 1, 'and is not sent again';
            $d->quiet;
        }

        if ($tells) {
            my %state = ('09121234561' => 'yes', '09121234562' => 'no',
                         '09121234563' => 'sent');

            for my $mobile (sort keys %state) {
                my $m = message(mobile => $mobile);
                my $id = $p->ask(sms => $m)->{reference};
                my $s = $p->ask(sms_status => { id => $id,
                    local_id => $m->{local_id}, provider => $who });
                is $s->{verdict}, $state{$mobile}, "state: $state{$mobile}"
                    or diag explain $s;
            }
        }

        if ($own) {
            my $m = message();
            my $id = $p->ask(sms => $m)->{reference};
            my $s = $p->ask(sms_status => { local_id => $m->{local_id} });
            like $s->{verdict}, qr/^(?:yes|sent)$/, 'found by our number';
            is $s->{taken}{id}, $id, 'with its id';
            is $p->ask(sms_status => { local_id => 99 })->{verdict},
               'unsent', 'not found: never taken';
        }

        $p->done($text =~ /(یک پاسخ)/, '09121234561');
    };
}

# codes go by the provider's own templates

for my $case ([ 'kavenegar-template', 'kavenegar-template', 'verify 482913' ],
              [ smsir => 'smsir-template', 'code 482913' ],
              [ melipayamak => 'melipayamak-template', 'body 482913' ],
              [ ghasedak => 'ghasedak-template', 'verify 482913' ],
              [ ippanel => 'ippanel-template', 'abcdef123456 482913' ])
{
    my ($name, $who, $said) = @$case;

    subtest "$name: a code by template" => sub {
        my $p = probe($name);
        my $r = $p->ask(sms => message(template => 'code',
                                       code => '482913'));

        is $r->{verdict}, 'yes', 'taken' or diag explain $r;
        is $r->{provider}, $who, 'by whom';
        is +($d->sms)[-1]->{text}, $said, 'the template and the code';

        if ($name eq 'kavenegar-template') {
            $r = $p->ask(sms => message(template => 'letter_sent',
                                        value_tracking_code => '12345674'));
            is +($d->sms)[-1]->{text}, 'tracking 12345674',
               'another with another value';
            is $p->ask(sms => message(template => 'followup'))->{reason},
               'none', 'the others are not for it';
        }

        $p->done('482913');
    };
}

done_testing;
