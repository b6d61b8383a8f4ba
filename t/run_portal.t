#!/usr/bin/perl

# What "make run", "start", "stop" and "clean-run" do, on ports and in
# directories of their own.  Nothing is installed and nothing is fetched.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/../dev/lib";

use File::Temp qw(tempdir);
use Mojo::JSON qw(decode_json);
use POSIX qw(:sys_wait_h);
use Test::More;

use Instance;
use Portal::Browser;
use Portal::Numbers;
use Staff;

binmode Test::More->builder->$_, ':encoding(UTF-8)'
    for qw(output failure_output todo_output);

my $top = "$FindBin::RealBin/..";
my $tmp = tempdir('corr-run-XXXXXX', DIR => $ENV{CORR_TEST_TMP} // '/tmp',
                  CLEANUP => 1);
my $run = "$tmp/run";
my @runs = ($run);

chmod 0755, $tmp;
delete @ENV{grep { /^MAKE|^MFLAGS/ } keys %ENV};

# whoever would install something is told no, and remembered

mkdir "$tmp/bin";

for my $name (qw(apt-get sudo npm)) {
    open my $f, '>', "$tmp/bin/$name" or die;
    print $f "#!/bin/sh\necho \"$name \$*\" >> $tmp/asked\nexit 1\n";
    close $f;
    chmod 0755, "$tmp/bin/$name";
}

%ENV = (%ENV, PATH => "$tmp/bin:$ENV{PATH}", RUN_DIR => $run, WORKERS => 1,
        CAPTCHA => 'off', PORT => Instance::free_port(),
        GATEWAY_PORT => Instance::free_port());

local $SIG{ALRM} = sub { die "the test takes too long\n" };
local $SIG{TERM} = sub { exit 1 };
alarm 500;

END {
    my $code = $?;

    for my $dir (@runs) {
        system("RUN_DIR='$dir' '$top/dev/portal' $_ > /dev/null 2>&1")
            for -d $dir ? qw(stop clean) : ();
    }

    $? = $code;
}


# What a browser of the tests asks its portal for.

{
    package Here;

    sub base   { "http://localhost:$ENV{PORT}" }
    sub secret { }
    sub totp   { Staff::totp($_[1]{totp_secret}, $_[2]) }

    sub messages {
        my ($self, $mobile) = @_;
        my $ua = Mojo::UserAgent->new;

        $ua->proxy->http(undef);
        return @{ $ua->get("http://localhost:$ENV{GATEWAY_PORT}/messages"
                           . "?mobile=$mobile")->result->json };
    }

    sub last_message { 0 }

    sub sms_code {
        my ($self, $mobile) = @_;
        my $code;

        Instance::wait_for(30, sub {
            ($code) = map { $_->{text} =~ /#(\d{6})\s*\z/ }
                      $self->messages($mobile);
        });
        return $code;
    }
}

my $here = bless {}, 'Here';

sub browser { Portal::Browser->new($here) }


sub make {
    my (@what) = @_;
    my $said = `make -s -C '$top' @what 2>&1 < /dev/null`;

    return ($? >> 8, $said);
}


# Processes of a run's servers, who all know where they are.

sub servers {
    my ($dir) = @_;

    return grep { index(Instance::slurp($_), $dir) >= 0 }
           glob '/proc/[0-9]*/cmdline';
}


# In the foreground.

my $pid = fork // die;

if ($pid == 0) {
    POSIX::setpgid(0, 0);
    $SIG{INT} = 'DEFAULT';
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', "$tmp/out";
    open STDERR, '>&', \*STDOUT;
    exec 'make', '-s', '-C', $top, 'run' or POSIX::_exit(127);
}

ok(Instance::wait_for(200, sub { -e "$run/ready"
                                 || waitpid($pid, WNOHANG) == $pid })
   && -e "$run/ready", 'make run: it starts')
    or BAIL(Instance::slurp("$tmp/out"));

my $out = Instance::slurp("$tmp/out");

like($out, qr{http://localhost:$_/}, "it says where: $_")
    for @ENV{qw(PORT GATEWAY_PORT)};

my $b = browser();

is($b->get('/')->status, 200, 'the home page');
like($b->text, qr/ثبت و پیگیری مکاتبات/, 'with its one way in');
is($b->get('/clerk/login')->status, 200, 'the clerks\' door');

my $who = $b->signup;

is($b->get('/desk')->status, 200, 'a code by the sandbox: signed up');

my $password = $b->set_password;

# the staff

my $json = Instance::slurp("$run/staff.json");
my $staff = decode_json($json);

is((stat "$run/staff.json")[2] & 07777, 0600, 'staff.json is ours alone');
is_deeply([ sort map { $_->{role} } @$staff ],
          [ qw(admin clerk expert manager) ], 'one of each role');
is_deeply([ map { join ' ', sort keys %$_ } @$staff ],
          [ ('password role totp_secret username') x 4 ], 'each with all');
like($out, qr/\Q$_->{password}\E\s+\Q$_->{totp_secret}\E/,
     "$_->{role} is printed") for @$staff;

my ($clerk) = grep { $_->{role} eq 'clerk' } @$staff;

is(browser()->clerk_login($clerk)->get('/clerk/')->status, 200,
   'who is in it can log in');

my $code = `'$top/dev/totp' $clerk->{totp_secret}`;

like($code, qr/^\d{6}\n$/, 'dev/totp tells a code');

# not twice

my ($status, $said) = make('start');

is($status, 0, 'make start when it runs');
like($said, qr/it runs already.*localhost:$ENV{PORT}/s, 'says so');
($status, $said) = make('run');
isnt($status, 0, 'make run once more');
like($said, qr/it runs already/, 'says so');
($status, $said) = make('clean-run');
isnt($status, 0, 'its data are not thrown away');
ok(-s "$run/staff.json", 'really not');
($status, $said) = make('run', "RUN_DIR=$tmp/other");
push @runs, "$tmp/other";
isnt($status, 0, 'another one on the same port');
like($said, qr/port $ENV{PORT} is taken/, 'says what is wrong');

# Ctrl-C

cmp_ok(scalar servers($run), '>', 3, 'servers there are');
kill INT => -$pid;
waitpid $pid, 0;
like(Instance::slurp("$tmp/out"), qr/^stopping$/m, 'Ctrl-C stops it');
is_deeply([ servers($run) ], [], 'and all servers');
ok(!Instance::answers($ENV{$_}, '/'), "$_ is free") for qw(PORT GATEWAY_PORT);
ok(!-e "$run/ready", 'nothing says that it runs');


# In the background, with the data of before.

($status, $said) = make('start');
is($status, 0, 'make start') or diag $said;
like($said, qr{http://localhost:$ENV{PORT}/}, 'returns when it answers');
is($b->get('/')->status, 200, 'as it does');
is(Instance::slurp("$run/staff.json"), $json, 'the staff are the same');
is(browser()->login($who->{national_code}, $password)->get('/desk')->status,
   200, 'and so is who signed up');
($status, $said) = make('stop');
is($status, 0, 'make stop');
like($said, qr/^stopped$/m, 'says so');
is_deeply([ servers($run) ], [], 'nothing runs');
($status, $said) = make('stop');
is($status, 0, 'make stop again');
like($said, qr/nothing runs/, 'says so');
is((make('clean-run'))[0], 0, 'make clean-run');
ok(!-e $run, 'and nothing is there');


# Where the servers' user may not go, by a long way.

my $long = join '/', $tmp, 'private', ('long' x 12) x 2;

system('mkdir', '-p', $long) == 0 or die;
chmod 0700, "$tmp/private";
$ENV{RUN_DIR} = "$long/run";
push @runs, $ENV{RUN_DIR};
($status, $said) = make('start');
is($status, 0, 'a long path that only we can go') or diag $said;
is($b->get('/')->status, 200, 'the home page');

my $data = readlink("$long/run/data") // "$long/run/data";

isnt(Instance::slurp("$long/run/staff.json"), $json, 'with staff of its own');
is((make('stop'))[0], 0, 'stopped');
is((make('clean-run'))[0], 0, 'thrown away');
ok(!-e $data && !-e "$long/run", 'all of it');

is(Instance::slurp("$tmp/asked"), '', 'nothing was installed');

done_testing;


sub BAIL { diag @_; done_testing; exit 1 }
