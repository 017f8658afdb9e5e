use Mojolicious::Lite;
use Digest::SHA 'sha256_hex';
app->log->level('fatal');
get '/hello/:name' => sub { my $c = shift; $c->render(text => 'Hello ' . $c->param('name')) } => 'hello';
post '/form' => sub { my $c = shift; $c->redirect_to('hello', name => $c->param('name')) };
post '/upload' => sub {
    my $c    = shift;
    my $file = $c->req->upload('file');
    $c->render(text => join ' ', $file->filename, $file->size, sha256_hex($file->slurp));
};
get '/stream' => sub {
    my $c = shift;
    $c->write("one\n" => sub {
        select undef, undef, undef, 0.01 until -e 'go';
        $c->write("two\n" => sub { $c->finish });
    });
};
app->start;
