%% Savina's count: a producer sends so many messages to a counter and then asks it for the result.
%% The counter keeps its queue off the heap, as one does with a process that is flooded.
-module(count).

-export([params/0, bench/1]).

params() -> #{messages => 5000000, payload => 48}.

bench(#{messages := Messages, payload := Bytes}) ->
    Payload = bench:payload(Bytes),
    run(bench:warm(Messages), Payload),
    bench:tell_rate(messages, "msg/s", Messages, run(Messages, Payload)).

run(Messages, Payload) ->
    Counter = spawn_opt(fun() -> counter(0) end, [link, {message_queue_data, off_heap}]),
    bench:timed(fun() ->
        produce(Counter, Messages, Payload),
        Counter ! {retrieve, self()},
        receive
            {count, Messages} -> ok
        end
    end).

produce(_Counter, 0, _Payload) ->
    ok;
produce(Counter, Left, Payload) ->
    Counter ! {increment, Payload},
    produce(Counter, Left - 1, Payload).

counter(Count) ->
    receive
        {increment, _Payload} -> counter(Count + 1);
        {retrieve, From} -> From ! {count, Count}
    end.
