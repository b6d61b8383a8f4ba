package Portal::Doubles;

# The providers' doubles (t/gateways/doubles) as a process of the test's own.
#
#   my $d = Portal::Doubles->new;
#   my $conf = $d->conf('zibal');     # dev/gateways/zibal.conf, asking it
#   $d->say(path => '/v1/…', status => 503, times => 1);
#   my ($r) = $d->requests('/v1/…');

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Mojo::UserAgent;
use Time::HiRes qw(sleep);

use Portal::Probe;

my $top = abs_path(dirname(__FILE__) . '/../../..');

# what stands in the files that dev/gateways names

our %secrets = (
    'pgsb.password' => 'p&ss=w%rd', 'pgsb.client' => 'pgsb:client',
    'shahkar.basic' => 'c2hhaGthcjpiYXNpYw==',
    'pgsb.pid' => '5d2f0c3b9a7e4d1f8c6b2a90',
    'gsb.code' => 'gsbcode', 'gsb.password' => 'gsb"pass',
    'estelaam.basic' => 'est:elaam', 'zibal.key' => 'zibalkey',
    'zohal.key' => 'zohalkey', 'jibit.key' => 'jibitkey',
    'jibit.secret' => 'jibit"secret', 'finnotech.secret' => 'finnosecret',
    'uid.id' => 'uidbusiness', 'uid.token' => 'uidtoken',
    'kavenegar.key' => 'kavekey', 'magfa.basic' => 'magfa/domain:x',
    'smsir.key' => 'smsirkey', 'melipayamak.user' => 'melli',
    'melipayamak.password' => 'melli+pass',
    'ghasedak.key' => 'ghasedakkey', 'ippanel.key' => 'ippanelkey',
);


sub new {
    my ($class, %o) = @_;
    my $self = bless { %o, port => Portal::Probe::free_port() }, $class;

    $self->{base} = "http://127.0.0.1:$self->{port}";
    $self->{ua} = Mojo::UserAgent->new;
    $self->{pid} = fork // die "fork: $!\n";

    if ($self->{pid} == 0) {
        exec $^X, "$top/t/gateways/doubles", '--listen', $self->{base},
             $o{key} ? ('--key', $o{key}) : () or POSIX::_exit(1);
    }

    for (1 .. 200) {
        return $self if !$self->{ua}->get("$self->{base}/_requests")->error;
        sleep 0.05;
    }

    die "the doubles do not start\n";
}


sub conf {
    my ($self, @names) = @_;
    my $conf = '';

    for my $name (@names) {
        open my $f, '<:utf8', "$top/dev/gateways/$name.conf"
            or die "$name.conf: $!\n";
        local $/;
        $conf .= <$f>;
    }

    $conf =~ s{https://[a-z0-9.-]+(?=/)}{$self->{base}}g;
    $conf =~ s{\@/etc/nginx/correspondence/}{\@\@SECRETS\@/}g;
    $conf =~ s{/etc/nginx/correspondence/}{\@SECRETS\@/}g;
    return $conf;
}


sub say {
    my ($self, %what) = @_;
    $self->{ua}->post("$self->{base}/_say" => json => \%what);
}


sub quiet {
    my ($self) = @_;
    $self->{ua}->delete("$self->{base}/_say");
}


sub requests {
    my ($self, $path) = @_;
    my $url = Mojo::URL->new("$self->{base}/_requests");

    $url->query(path => $path) if defined $path;
    return @{ $self->{ua}->get($url)->res->json };
}


sub forget {
    my ($self) = @_;
    $self->{ua}->delete("$self->{base}/_requests");
}


sub sms {
    my ($self) = @_;
    return @{ $self->{ua}->get("$self->{base}/_sms")->res->json };
}


sub DESTROY {
    my ($self) = @_;

    if ($self->{pid}) {
        kill TERM => $self->{pid};
        waitpid $self->{pid}, 0;
    }
}


1;
