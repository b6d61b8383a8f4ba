package Bench::Start;

# From the start of nginx until its first page: with the module, with the
# module while PostgreSQL takes connections and says nothing, and without.

use strict;
use warnings;
use utf8;

use Time::HiRes qw(sleep time);

use Bench;

use constant TIMES => 7;


sub run {
    my ($report) = @_;
    my $p = Bench::portal(proxies => [ 'postgres' ]);
    my $i = $p->instance;
    my $file = "$i->{dir}/nginx/nginx.conf";
    my $with = Instance::slurp($file);
    my (@bare, @module, @slow);

    $p->stop_nginx;

    for (1 .. TIMES) {
        $i->write_file($file, bare($i), 0600);
        push @bare, started($p);
        $i->write_file($file, $with, 0600);
        push @module, started($p);
        $p->proxy('postgres')->mode('stall');
        push @slow, started($p);
        $p->proxy('postgres')->mode('pass');
    }

    my $bare = Bench::median(@bare);

    $report->('start until the first page, over bare nginx', unit => 'ms more',
              ours => Bench::median(@module) - $bare, reference => $bare,
              of => 'ms, nginx without the module', most => 200);
    $report->('the same, PostgreSQL not answering', unit => 'ms more',
              ours => Bench::median(@slow) - $bare, reference => $bare,
              of => 'ms, nginx without the module', most => 200);
    Bench::stop($p);
}


sub bare {
    my ($i) = @_;

    return <<"END";
daemon off;
worker_processes $Bench::Workers;
pid $i->{dir}/nginx/nginx.pid;
error_log $i->{dir}/logs/error.log error;
events { }
http {
    access_log off;
    client_body_temp_path $i->{dir}/nginx/body;
    proxy_temp_path $i->{dir}/nginx/proxy;
    fastcgi_temp_path $i->{dir}/nginx/fastcgi;
    uwsgi_temp_path $i->{dir}/nginx/uwsgi;
    scgi_temp_path $i->{dir}/nginx/scgi;
    server { listen 127.0.0.1:$i->{port}; location / { return 200 "ok"; } }
}
END
}


# Milliseconds from exec to the first 200.

sub started {
    my ($p) = @_;
    my $i = $p->instance;
    my $since = time;

    $i->spawn('nginx', 'TERM', $i->nginx_command('error'));

    until (Instance::answers($i->{port}, '/', 200)) {
        die "nginx does not start\n" if time > $since + 20;
        sleep 0.001;
    }

    my $took = (time - $since) * 1000;

    $p->stop_nginx;
    return $took;
}

1;
