#!/usr/bin/perl

# Another mobile in a session that is not young any more: the password first,
# or whoever finds an open desk has the account with it.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $p = Portal->new;


sub citizen {
    my $b = $p->browser;

    $b->signup;
    return $b;
}


sub change {
    my ($b, %fields) = @_;

    return $b->get('/desk/profile/mobile')->submit(\%fields);
}


sub asked {
    return $p->value(q{SELECT count(*) FROM codes WHERE purpose = 'mobile'});
}


# All sessions become so many seconds older.

sub age {
    my ($seconds) = @_;
    my $redis = "redis-cli -s $p->{instance}{sockets}/redis.sock";

    for my $key (grep { /\S/ } split /\n/, `$redis --scan --pattern 's:*'`) {
        my @session = split ' ', `$redis get $key`;

        next if @session != 4;
        $session[3] -= $seconds;
        system("$redis set $key '@session' KEEPTTL >/dev/null") == 0 or die;
    }
}

my ($b, $bare) = (citizen(), citizen());
my $field = 'input[name="current_password"]';

$b->set_password;
ok(!$b->get('/desk/profile/mobile')->dom->at($field),
   'a young session is asked for nothing more');
age(14 * 60);
ok(!$b->get('/desk/profile/mobile')->dom->at($field), 'nor in 14 minutes');
age(60);
ok($b->get('/desk/profile/mobile')->dom->at($field),
   'after a quarter of an hour it is');
ok(!$bare->get('/desk/profile/mobile')->dom->at($field),
   'but not who has no password');

change($b, mobile => '09120000011');
is($b->status, 422, 'without it');
like($b->error('current_password'), qr/کلمه عبور/, 'the form says so');
is($b->post('/desk/profile/mobile', { mobile => '09120000011' })->status, 422,
   'also when the field is not sent at all');
is(asked(), 0, 'no code is sent');

change($b, mobile => '0912', current_password => 'x');
is($b->status, 422, 'a wrong number');
ok(!$b->error('current_password'), 'takes no try at the password');

for my $n (1 .. 4) {
    change($b, mobile => '09120000011', current_password => "wrong $n");
    is($b->status, 422, "a wrong password, $n");
}

is(asked(), 0, 'nor a code');
like($b->error('current_password'), qr/درست نیست|اشتباه/, 'which is told');
ok(!length($b->dom->at($field)->attr('value') // ''), 'and not sent back');

change($b, mobile => '09120000011',
       current_password => $b->{person}{password});
is($b->path, '/desk/profile/mobile?sent=1', 'the right one');
is(asked(), 1, 'a code goes out');
$b->follow->submit({ code => $p->sms_code('09120000011') });
like($b->path, qr{^/desk/identity\?flash=mobile_changed}, 'and is all it takes');

change($b, mobile => '09120000012', current_password => 'wrong');
is($b->status, 429, 'after five tries there is a wait');

change($bare, mobile => '09120000013');
is($bare->path, '/desk/profile/mobile?sent=1',
   'who has no password changes the mobile as before');

$p->done;
