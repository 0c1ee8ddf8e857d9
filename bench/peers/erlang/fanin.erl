%% Fan-in: several producers send to one consumer, which keeps its queue off the heap.
-module(fanin).

-export([params/0, bench/1]).

params() -> #{producers => 4, messages => 4000000, payload => 48}.

bench(#{producers := Producers, messages := Messages, payload := Bytes}) ->
    Payload = bench:payload(Bytes),
    Share = max(1, Messages div Producers),
    run(Producers, bench:warm(Share), Payload),
    TookNs = run(Producers, Share, Payload),
    bench:tell_rate(messages, "msg/s", Share * Producers, TookNs).

run(Producers, Share, Payload) ->
    Self = self(),
    bench:timed(fun() ->
        spawn_opt(
            fun() ->
                Consumer = self(),
                [
                    spawn_link(fun() -> produce(Consumer, Share, Payload) end)
                 || _ <- lists:seq(1, Producers)
                ],
                consume(Producers * Share),
                Self ! done
            end,
            [link, {message_queue_data, off_heap}]
        ),
        receive
            done -> ok
        end
    end).

produce(_Consumer, 0, _Payload) ->
    ok;
produce(Consumer, Left, Payload) ->
    Consumer ! {quote, Payload},
    produce(Consumer, Left - 1, Payload).

consume(0) ->
    ok;
consume(Left) ->
    receive
        {quote, _Payload} -> consume(Left - 1)
    end.
