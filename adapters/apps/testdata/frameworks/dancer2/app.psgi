package App;
use Dancer2;
use Digest::SHA 'sha256_hex';
set charset => 'UTF-8';
get '/hello/:name' => sub { 'Hello ' . route_parameters->get('name') };
post '/form' => sub { redirect uri_for('/hello/' . body_parameters->get('name')) };
post '/upload' => sub {
    my $file = upload('file');
    join ' ', $file->filename, $file->size, sha256_hex($file->content);
};
get '/stream' => sub {
    delayed {
        flush;
        content "one\n";
        select undef, undef, undef, 0.01 until -e 'go';
        content "two\n";
        done;
    };
};
App->to_app;
