# frozen_string_literal: true

run lambda { |env|
  variables = env.select { |name, value| name =~ /\A[A-Z]/ && value.is_a?(String) }.sort
  body = "served by Ruby #{RUBY_VERSION}, Rack #{Rack.release}, process #{Process.pid}\n" +
         variables.map { |name, value| "#{name}=#{value}\n" }.join
  [200, { 'Content-Type' => 'text/plain; charset=utf-8' }, [body]]
}
