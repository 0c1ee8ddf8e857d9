%% The memory of an idle actor: so many processes, each of which has handled one message and waits
%% for the next. (Hibernating would shrink a heap, but what that frees lies scattered and stays
%% resident: it makes a difference of a twentieth.)
-module(alive).

-export([params/0, bench/1]).
-export([idle/2]).

params() -> #{actors => 1000000}.

bench(#{actors := Actors}) ->
    Before = resident(),
    Latch = atomics:new(1, []),
    atomics:put(Latch, 1, Actors),
    Pids = [spawn(?MODULE, idle, [Latch, self()]) || _ <- lists:seq(1, Actors)],
    [Pid ! hello || Pid <- Pids],
    receive
        all -> ok
    end,
    bench:tell(bytes, "B", (resident() - Before) / Actors).

idle(Latch, Parent) ->
    receive
        hello ->
            case atomics:sub_get(Latch, 1, 1) of
                0 -> Parent ! all;
                _ -> ok
            end,
            idle(Latch, Parent)
    end.

resident() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_Size, Resident | _] = string:lexemes(Text, " "),
    binary_to_integer(Resident) * 4096.
