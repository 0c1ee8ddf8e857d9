%% Fan-out: one publisher, several subscribers; every message is sent to every one of them.
-module(fanout).

-export([params/0, bench/1]).

params() -> #{subscribers => 8, messages => 500000}.

bench(#{subscribers := Subscribers, messages := Messages}) ->
    Payload = bench:payload(48),
    run(Subscribers, bench:warm(Messages), Payload),
    TookNs = run(Subscribers, Messages, Payload),
    bench:tell_rate(deliveries, "msg/s", Subscribers * Messages, TookNs).

run(Count, Messages, Payload) ->
    Self = self(),
    Subscribers = [
        spawn_opt(
            fun() ->
                subscribe(Messages),
                Self ! {done, self()}
            end,
            [link, {message_queue_data, off_heap}]
        )
     || _ <- lists:seq(1, Count)
    ],
    bench:timed(fun() ->
        publish(Subscribers, Messages, Payload),
        [
            receive
                {done, Subscriber} -> ok
            end
         || Subscriber <- Subscribers
        ]
    end).

publish(_Subscribers, 0, _Payload) ->
    ok;
publish(Subscribers, Left, Payload) ->
    [Subscriber ! {quote, Payload} || Subscriber <- Subscribers],
    publish(Subscribers, Left - 1, Payload).

subscribe(0) ->
    ok;
subscribe(Left) ->
    receive
        {quote, _Payload} -> subscribe(Left - 1)
    end.
